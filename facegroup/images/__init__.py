"""What is in this file? Encoded bytes in, pixels or an error out; and the files of a folder."""
