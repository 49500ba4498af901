"""Push and pull: nothing is saved unseen, and nothing of anybody's is lost."""

import json

import pytest

from parley_cli.commands.data import Plan, plan
from tests.cli.worlds import DOMAIN


@pytest.fixture
def pulled(parley):
    """A folder with revision 1: a domain and greetings."""
    parley.world.save(domain=DOMAIN, data__nlu='version: "3.1"\n')
    parley.done("pull")
    return parley


def test_a_folder_becomes_a_revision(parley) -> None:
    parley.done("init")
    parley.write(domain=DOMAIN, data__nlu='version: "3.1"\n', credentials="secret: x\n")
    dry = parley.done("push", "--dry-run", "--json").json
    assert (dry["added"], dry["saved"]) == (["data/nlu.yml", "domain.yml"], False)
    saved = parley.done("push", "--yes", "-m", "first", "--json").json
    assert (saved["revision"], saved["saved"], saved["added"]) == (1, True, ["data/nlu.yml", "domain.yml"])
    same = parley.done("push", "--json").json
    assert (same["revision"], same["saved"], same["changed"]) == (1, False, [])
    parley.write(domain=DOMAIN + "# more\n")
    wanted = [parley.done("push", *words, "--json").json for words in (["--dry-run"], ["--yes"])]
    assert [one["changed"] for one in wanted] == [["domain.yml"]] * 2
    assert {tuple(one) for one in (dry, saved, same, *wanted)} == {tuple(dry)}  # the same keys however it ends
    assert json.loads(parley.read(".parley/state.json"))["revision"] == 2
    assert parley.read(".parley/.gitignore") == "*\n"


def test_the_difference_is_shown_and_nobody_can_be_asked_here(pulled) -> None:
    pulled.write(domain=DOMAIN + "# more\n")
    (pulled.project / "data/nlu.yml").unlink()
    ended = pulled("push", "--diff")
    assert ended.code == 2
    assert "~ domain.yml  +1 -0" in ended.err and "    +# more" in ended.err and "- data/nlu.yml  +0 -1" in ended.err
    assert pulled.done("push", "--yes", "--json").json["removed"] == ["data/nlu.yml"]


def test_what_somebody_saved_meanwhile_is_never_overwritten(pulled) -> None:
    pulled.world.save(domain=DOMAIN + "# theirs\n")
    pulled.write(domain=DOMAIN + "# mine\n")
    ended = pulled("push", "--yes")
    assert (ended.code, "saved revision 2 after revision 1" in ended.err) == (6, True)
    assert pulled("push", "--yes", "--merge").code == 6
    conflict = pulled("pull")
    assert (conflict.code, "! domain.yml" in conflict.err) == (6, True)
    assert pulled.read("domain.yml").endswith("# mine\n")
    kept = pulled.done("pull", "--keep", "--json").json
    assert (kept["revision"], kept["kept"]) == (2, ["domain.yml"])
    pulled.done("push", "--yes")
    pulled.done("pull", "--revision", "2", "--overwrite")
    assert pulled.read("domain.yml").endswith("# theirs\n")


@pytest.mark.parametrize("here", [DOMAIN + "# mine\n", None])
def test_a_fresh_checkout_takes_nothing_away_unless_told(parley, here) -> None:
    parley.world.save(domain=DOMAIN + "# theirs\n", data__nlu='version: "3.1"\n')
    parley.write(data__nlu='version: "3.1"\n', data__more="more: 1\n", **({"domain": here} if here else {}))
    ended = parley("push", "--yes")
    assert (ended.code, "--base 1" in ended.err, "such as domain.yml" in ended.err) == (6, True, True)
    assert parley("push", "--yes", "--merge").code == 6
    assert parley("push", "--replace", "--base", "1").code == 2
    assert parley.done("push", "--yes", "--base", "1", "--json").json["revision"] == 2
    (parley.project / ".parley/state.json").unlink()
    parley.world.save(domain=DOMAIN + "# theirs again\n")
    assert parley("push", "--yes", "--base", "2").code == 6
    assert parley.done("push", "--yes", "--replace", "--json").json["revision"] == 4


def test_a_fresh_checkout_adds(parley) -> None:
    parley.world.save(domain=DOMAIN)
    parley.write(domain=DOMAIN, data__more="more: 1\n")
    assert parley.done("push", "--yes", "--json").json["added"] == ["data/more.yml"]


def test_what_others_saved_and_is_here_stands_in_nobodys_way(pulled) -> None:
    pulled.world.save(data__nlu='version: "3.1"\n# theirs\n')
    pulled.write(domain=DOMAIN + "# mine\n")
    assert pulled("push", "--yes").code == 6
    pulled.write(data__nlu='version: "3.1"\n# theirs\n')  # as a colleague pulled and committed it
    facts = pulled.done("push", "--yes", "--json").json
    assert (facts["revision"], facts["changed"], facts["on_top_of"]) == (3, ["domain.yml"], None)


def test_a_push_goes_on_top_of_other_files(pulled) -> None:
    pulled.world.save(data__nlu='version: "3.1"\n# theirs\n')
    pulled.write(domain=DOMAIN + "# mine\n")
    assert pulled.done("push", "--yes", "--merge", "--json").json["revision"] == 3
    # The next one does not take their change back, although this folder is still without it.
    pulled.write(domain=DOMAIN + "# mine again\n")
    assert pulled.done("push", "--yes", "--merge", "--dry-run", "--json").json["changed"] == ["domain.yml"]
    pulled.write(domain=DOMAIN + "# mine\n")
    pulled.done("pull")
    assert pulled.read("data/nlu.yml").endswith("# theirs\n") and pulled.read("domain.yml").endswith("# mine\n")


def test_changes_here_stay_when_nothing_changed_there(pulled) -> None:
    pulled.write(domain=DOMAIN + "# mine\n", data__own="own: 1\n")
    pulled.world.save(data__more="more: 1\n")
    facts = pulled.done("pull", "--json").json
    assert (facts["written"], facts["changed_here"]) == (["data/more.yml"], ["domain.yml"])
    assert pulled.read("domain.yml").endswith("# mine\n") and pulled.read("data/own.yml") == "own: 1\n"


def test_a_file_that_is_here_before_the_first_pull_is_not_overwritten(parley) -> None:
    parley.world.save(domain=DOMAIN)
    parley.write(domain="mine: 1\n")
    assert parley("pull").code == 6
    assert parley.read("domain.yml") == "mine: 1\n"
    assert parley.done("pull", "--dry-run", "--json").json["conflicts"] == ["domain.yml"]


def test_a_first_pull_says_that_everything_is_new(parley) -> None:
    parley.world.save(domain=DOMAIN)
    assert "+ domain.yml" in parley("pull").err


def test_nothing_to_pull_and_nothing_to_push(parley) -> None:
    assert parley("pull").code == 5
    assert parley("push", "--yes").code == 2
    assert parley("init", "--project", "nowhere").code == 5


def test_a_file_that_is_no_yaml_is_not_saved(parley) -> None:
    parley.write(domain="{: [\n")
    ended = parley("push", "--yes")
    assert (ended.code, "domain.yml" in ended.err) == (1, True)


def test_a_link_is_refused(with_fake) -> None:
    (with_fake.project / "domain.yml").symlink_to("/etc/hostname")
    assert "is a link" in with_fake("push", "--yes").err


@pytest.mark.parametrize("name", ["../out.yml", "/abs.yml", "a/../../out.yml", ".hidden.yml", "c:/x.yml"])
def test_no_name_leads_out_of_the_folder(with_fake, name) -> None:
    with_fake.world.revisions.append(("somebody", {name: b"x: 1\n"}))
    ended = with_fake("pull")
    assert (ended.code, "no usable file name" in ended.err) == (1, True)
    assert not (with_fake.folder / "out.yml").exists() and not any(with_fake.project.rglob("*.yml"))


def test_no_link_leads_out_of_the_folder(with_fake) -> None:
    outside = with_fake.folder / "outside"
    outside.mkdir()
    with_fake.world.save(data__nlu="x: 1\n")
    (with_fake.project / "data").symlink_to(outside)
    assert with_fake("pull").code == 1
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    ("here", "was", "there", "found"),
    [
        ("a", "a", "a", Plan()),
        (None, None, "a", Plan(write=["f"])),
        ("a", "a", "b", Plan(write=["f"])),
        ("a", "a", None, Plan(remove=["f"])),
        ("b", "a", "b", Plan()),
        ("b", "a", "a", Plan(mine=["f"])),
        (None, "a", "a", Plan(mine=["f"])),
        ("b", "a", "c", Plan(both=["f"])),
        ("b", "a", None, Plan(both=["f"])),
        (None, "a", "b", Plan(both=["f"])),
        ("b", None, "a", Plan(both=["f"])),
        ("a", None, None, Plan()),
        (None, "a", None, Plan()),
    ],
)
def test_what_a_pull_does_with_a_file(here, was, there, found) -> None:
    def named(value: str | None) -> dict[str, str]:
        return {} if value is None else {"f": value}

    assert plan(named(here), named(was), named(there)) == found
