"""A process's own work folder: cleared when it ends, and by the next when it died."""

import subprocess
import sys

from portico.engines import Workplace

HOLDER = """
import sys
from pathlib import Path
from portico.engines import Workplace

place = Workplace(Path(sys.argv[1]), sys.argv[2])
(place.path / "half-done").write_text("x")
print("ready", flush=True)
sys.stdin.readline()
"""


def held(parent, name):
    """Start another process that works beside this one."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(parent), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_alone_the_folder_itself_is_used_and_kept(tmp_path):
    place = Workplace(tmp_path / "work", "")
    (place.path / "7").mkdir()
    place.close()
    assert place.path == tmp_path / "work"
    assert (tmp_path / "work" / "7").is_dir()


def test_one_among_several_takes_its_folder_away_with_it(tmp_path):
    place = Workplace(tmp_path, "run_a")
    assert list(place.path.iterdir()) == []
    place.close()
    place.close()
    assert list(tmp_path.iterdir()) == []


def test_neighbour_that_lives_keeps_its_folder_and_a_dead_one_loses_it(tmp_path):
    neighbour = held(tmp_path, "run_b")
    place = Workplace(tmp_path, "run_a")
    assert place.dead == ()
    place.close()
    assert (tmp_path / "run_b" / "half-done").exists()
    neighbour.kill()
    neighbour.communicate(timeout=10)

    place = Workplace(tmp_path, "run_c")
    assert place.dead == ("run_b",)
    place.close()

    assert list(tmp_path.iterdir()) == []
