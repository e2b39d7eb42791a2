"""Whatever a person may ask for: strategies for texts, and for wishes made of them."""

from __future__ import annotations

from hypothesis import strategies as st

from hailuo_jupyter.errors import PromptError
from hailuo_jupyter.kernel.generate import MOST_AT_ONCE, Wish
from hailuo_jupyter.request import check_prompt

#: Everything but halves of surrogate pairs, and often what the option line has a meaning for.
ANY = st.text(
    st.one_of(st.sampled_from("\"'{}=-\\ \t%a"), st.characters(exclude_categories=["Cs"]))
)
LINE = ANY.filter(lambda text: text.splitlines() in ([], [text]))
FRAMES = st.one_of(st.none(), LINE)


def accepted(text: str) -> bool:
    try:
        check_prompt(text, 2000)
    except PromptError:
        return False
    return True


PROMPTS = ANY.filter(accepted).map(lambda text: check_prompt(text, 2000))

WISHES = st.builds(
    Wish,
    prompt=PROMPTS,
    provider=st.sampled_from([None, "segmind", "aimlapi", "demo"]),
    options=st.dictionaries(
        st.sampled_from(["mode", "resolution", "duration"]), st.sampled_from(["pro", "768P", "6"])
    ),
    image=FRAMES,
    last_image=FRAMES,
    prompt_optimizer=st.booleans(),
    output=st.one_of(st.none(), LINE),
    count=st.integers(1, MOST_AT_ONCE),
    new=st.booleans(),
    yes=st.booleans(),
    name=st.one_of(st.none(), st.sampled_from(["clip", "_x1", "größe"])),
    tags=st.lists(LINE, max_size=3).map(tuple),
    note=st.one_of(st.none(), LINE),
)
