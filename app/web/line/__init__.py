"""What the operator does at the line beyond looking and stopping: alarms, lots, recipes, challenge tests, resets."""
