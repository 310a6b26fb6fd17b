import pytest

from portico.providers.local.drawing.prompt import prompt_seed, read_prompt


@pytest.mark.parametrize(
    ("prompt", "scene", "time", "weather"),
    [
        # English
        ("A sailboat on the ocean at sunset", "sea", "sunset", "clear"),
        ("snowy mountains at dawn", "mountains", "dawn", "snow"),
        ("a mountain lake in the fog", "lake", "day", "fog"),
        ("Sahara dunes, cloudy noon", "desert", "day", "cloudy"),
        ("a wheat field under a storm", "meadow", "day", "storm"),
        ("a galaxy far away", "space", "day", "clear"),
        ("Tokyo skyline, neon, rain, midnight", "city", "night", "rain"),
        ("misty redwood forest in the morning", "forest", "dawn", "fog"),
        # Chinese
        ("日落时分的大海", "sea", "sunset", "clear"),
        ("夜晚的城市下着雨", "city", "night", "rain"),
        ("清晨的森林，雾", "forest", "dawn", "fog"),
        ("沙漠里的沙丘", "desert", "day", "clear"),
        ("宇宙中的行星", "space", "day", "clear"),
        ("一片花海", "meadow", "day", "clear"),
        # Vietnamese
        ("biển lúc hoàng hôn", "sea", "sunset", "clear"),
        ("núi tuyết buổi sáng", "mountains", "dawn", "snow"),
        ("thành phố ban đêm dưới mưa", "city", "night", "rain"),
        ("cánh đồng hoa", "meadow", "day", "clear"),
        ("hồ nước trong sương mù", "lake", "day", "fog"),
        # Polish
        ("morze o zachodzie słońca", "sea", "sunset", "clear"),
        ("góry zimą", "mountains", "day", "snow"),
        ("las o świcie we mgle", "forest", "dawn", "fog"),
        ("pustynia w południe", "desert", "day", "clear"),
        ("miasto nocą, deszcz", "city", "night", "rain"),
        ("kwiaty na łące", "meadow", "day", "clear"),
    ],
)
def test_prompt_of_four_languages_becomes_scene(prompt, scene, time, weather):
    spec = read_prompt(prompt)
    assert (spec.scene, spec.time, spec.weather) == (scene, time, weather)
    assert spec.understood


@pytest.mark.parametrize(
    ("prompt", "camera"),
    [
        ("sea, pan left", "pan_left"),
        ("the camera zooms out over the sea", "pull"),
        ("drone flight over mountains", "push"),
        ("海，镜头推进", "push"),
        ("biển, lia phải", "pan_right"),
        ("morze, zbliżenie", "push"),
        ("a quiet sea", "static"),
    ],
)
def test_camera_words_choose_the_move(prompt, camera):
    assert read_prompt(prompt).camera == camera


def test_locked_camera_is_static_whatever_is_asked():
    assert read_prompt("sea, pan left", lock_camera=True, expand=True).camera == "static"


def test_unknown_prompt_is_drawn_but_not_understood():
    spec = read_prompt("xyzzy plugh")
    assert not spec.understood
    assert spec.scene


def test_animals_and_people_are_named_as_not_drawn():
    assert read_prompt("a cat and a girl on the beach").not_drawn == ("person", "animal")


def test_negative_prompt_removes_features():
    spec = read_prompt("cloudy sea with a boat and birds", negative="boat, clouds, blurry")
    assert "boat" not in spec.subjects
    assert "birds" in spec.subjects
    assert spec.weather == "clear"


def test_quality_words_of_negative_prompt_do_nothing():
    plain = read_prompt("sea with a boat")
    assert read_prompt("sea with a boat", negative="blurry, low quality") == plain


def test_expansion_fills_open_slots_from_seed_and_says_so():
    slots = {
        (spec.time, spec.weather, spec.camera)
        for spec in (read_prompt("sea", seed=seed, expand=True) for seed in range(12))
    }
    assert len(slots) > 3
    assert read_prompt("sea at night", seed=3, expand=True).time == "night"
    assert "the camera" in read_prompt("sea", seed=3, expand=True).expanded


def test_default_seed_is_the_prompts_own():
    assert read_prompt("sea").seed == prompt_seed("sea") == prompt_seed("  SEA ")
    assert read_prompt("sea", seed=5).seed == 5
    assert prompt_seed("sea") != prompt_seed("lake")
