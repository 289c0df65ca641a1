"""What keeps an instance small: the cleanup, and order among the files of the lake.

Links go on redirecting whatever is removed here: catalogues and keys are never touched.
Source: spec §10.1, §10.2.
"""
