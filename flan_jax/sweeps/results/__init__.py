"""What came out of a sweep as one tidy table: read from the files of its runs, written, read again."""
