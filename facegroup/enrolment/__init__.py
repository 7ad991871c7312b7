"""May this photo stand for this person?"""
