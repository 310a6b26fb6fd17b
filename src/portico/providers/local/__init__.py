"""The built-in provider: procedural pictures and videos, and a development text responder.

It downloads nothing, needs no graphics card and is not a generative model: it draws what its
vocabulary covers and says what it ignored. All pixel work happens in one child process per
job; nothing outside `drawing` imports numpy, OpenCV, PyAV or Pillow.
"""
