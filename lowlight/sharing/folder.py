"""The folder that is shared: weights, recipe, model card, scores and licence."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from lowlight.checkpoints.load import load_run
from lowlight.checkpoints.pretrained import check_out
from lowlight.files import write_text
from lowlight.runs.folder import commit_of
from lowlight.runtimes.export import export_pretrained
from lowlight.sharing.card import model_card, read_facts
from lowlight.sharing.hub import LICENCE
from lowlight.sharing.licence import check_licence, default_licence, terms

CARD, SCORES = "README.md", "metrics.json"


def write_folder(
    run: Path,
    out: Path,
    repo_id: str,
    *,
    licence: str | None = None,
    half: bool = False,
    trust: Sequence[str] = (),
) -> str:
    """Write what is shared of a finished run, from which :func:`lowlight.from_pretrained` loads the model.

    Nothing of it names a folder of this machine. Files of an earlier call are replaced.

    Args:
        run: Folder of a training, or of the evaluation of one.
        out: The folder; made where it is missing.
        repo_id: The repository that the card names.
        licence: One of the hub's identifiers; by default that of
            :func:`lowlight.sharing.licence.default_licence`.
        half: Whether weights are stored in 16 bits.
        trust: Packages beyond torch and lowlight that the recipe may call.

    Returns:
        The licence.

    Raises:
        ValueError: If the folder holds a run or files of others, the run shared is unfinished or learnt
            nothing, its model cannot be loaded or saved with the same outputs, or the licence is no
            identifier.
    """
    check_out(out, CARD, SCORES, LICENCE)
    facts = read_facts(run)
    licence = licence or default_licence(facts.data)
    check_licence(licence)
    method = load_run(run, trust)
    if not method.learns:
        raise ValueError(f"{run}: {method.name} learns nothing, so there are no weights to share")
    commit = commit_of(run) if facts.is_training else None
    differences = export_pretrained(method, out, half=half, commit=commit, trust=trust)
    difference = max(differences.values()) if half else None
    card = model_card(facts, repo_id, licence, method.parameter_count, difference=difference, trust=trust)
    write_text(out / CARD, card)
    shutil.copyfile(run / SCORES, out / SCORES)
    (out / LICENCE).unlink(missing_ok=True)
    if text := terms(licence, facts.sets):
        write_text(out / LICENCE, text)
    return licence
