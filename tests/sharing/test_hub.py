"""Ids of repositories."""

import pytest

from lowlight.sharing.hub import check_repository


@pytest.mark.parametrize("repo_id", ["us/tiny", "a/b", "my-org/MIRNet_v1.2", "_x/9"])
def test_ids_of_the_hub_are_taken(repo_id: str) -> None:
    check_repository(repo_id)
    pytest.importorskip("huggingface_hub.utils").validate_repo_id(repo_id)


@pytest.mark.parametrize(
    "repo_id",
    [
        *("tiny", "a/b/c", "/b", "a/", "a/b c", "a/-b", "a/b.", "ä/b", "a/b\n", "a/" + "b" * 95),
        *("a--b/c", "a/b..c", "a/b.git"),
    ],
)
def test_others_are_refused_with_the_form_to_write(repo_id: str) -> None:
    with pytest.raises(ValueError, match="is no repository id: write organisation/name"):
        check_repository(repo_id)
