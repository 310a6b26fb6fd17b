"""The plot of a long run is a picture that a browser can show."""

from xml.etree import ElementTree as ET

from tests.soak.plot import histogram, timeline

BOX = "{http://www.w3.org/2000/svg}rect"


def test_histogram_has_a_bar_for_each_second_in_which_something_was_taken_over():
    drawn = histogram("a & b", {"one": [1.2, 1.9, 7.0], "two": [1.5], "none": []}, bound_s=20)

    boxes = ET.fromstring(drawn).findall(BOX)  # noqa: S314 - we drew it
    bars = [each for each in boxes if float(each.get("y", 0)) > 40]

    assert len(bars) == 3  # two stacked at one second, one at seven
    heights = sorted(float(each.get("height", 0)) for each in bars)
    assert heights[2] == 2 * heights[0] == 2 * heights[1]


def test_timeline_has_a_line_and_a_word_for_everything_that_was_done():
    drawn = timeline("starts", {"one": [0.5, 3.2]}, marks={"killed": 1.0, "back": 2.5})

    words = [each.text for each in ET.fromstring(drawn).iter() if each.tag.endswith("text")]  # noqa: S314 - we drew it
    assert {"killed", "back"} <= set(words)
    assert drawn.count("stroke-dasharray") == 2
