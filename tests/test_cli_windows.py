"""Windows in exported figures: drawn or not as asked, and made again from the recipe."""

from pathlib import Path

from vitviz.cli import main

PICTURE = Path(__file__).parents[1] / "resources" / "demo" / "pictures" / "star_and_ring.png"


def exported(folder, *options):
    asked = ["--model", "demo-swin", "--layer", "1", "--query", "30,31", "--out", str(folder)]
    assert main(["export", str(PICTURE), *asked, *options]) == 0
    return next(folder.glob("*.png"))


def test_window_and_partition_are_drawn_as_asked_and_again_from_the_recipe(tmp_path):
    options = {"window": [], "partition": ["--partition"], "neither": ["--no-window"]}
    files = {name: exported(tmp_path / name, *given) for name, given in options.items()}
    assert len({path.read_bytes() for path in files.values()}) == 3
    for name, path in files.items():
        recipe = path.with_name(path.name + ".json")
        assert main(["export", "--recipe", str(recipe), "--out", str(tmp_path / f"{name} again")]) == 0
        assert next((tmp_path / f"{name} again").glob("*.png")).read_bytes() == path.read_bytes()
