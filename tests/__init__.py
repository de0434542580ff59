"""What holds, as sentences: a folder for each room of the source."""
