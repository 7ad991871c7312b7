"""Hostile bytes for each place where bytes come in from outside.

`python -m tests.fuzzing SEAM --seconds 600` looks for input that breaks one of them: with atheris, which is guided by what
the code does, where it is installed (it is no dependency of facegroup), else with drawn changes alone.
`tests/unit/test_fuzzing.py` tries some seconds of it each time.
"""
