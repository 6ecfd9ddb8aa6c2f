"""What the figures say: charts over the counts that the recorder keeps, and what other thresholds would have done."""
