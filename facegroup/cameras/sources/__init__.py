"""How do frames come from a camera, a stream, a folder or a file?"""
