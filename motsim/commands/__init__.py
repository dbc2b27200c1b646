"""What the commands share: arguments, errors, tables and lines that they print."""
