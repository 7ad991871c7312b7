"""How does a gallery move, to a file or to another network?"""
