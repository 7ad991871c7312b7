"""Who appears in a video file?"""
