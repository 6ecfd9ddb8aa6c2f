"""What people see: templates and style sheets. Files only; Python reaches them as package resources."""
