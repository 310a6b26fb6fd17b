"""Everything that touches pixels or samples; imported only inside the render child.

Rules kept here: each purpose draws its random numbers from its own stream, no draw depends
on the frame's size, and every input is opened by its detected type with the format forced.
"""
