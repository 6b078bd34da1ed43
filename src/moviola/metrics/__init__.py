"""Measures of video: pure functions in `functional`, classes with `update / compute / reset` beside them."""
