"""Whatever a person may ask for: strategies for texts, and for prompts with options made of them."""

from __future__ import annotations

from hypothesis import strategies as st

from hailuo_jupyter.errors import PromptError
from hailuo_jupyter.kernel.generate_options import MOST_AT_ONCE
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

#: Every option with whatever it may be.
EACH_OPTION = {
    "provider": st.sampled_from([None, "segmind", "aimlapi", "demo"]),
    "model": st.sampled_from([None, "hailuo-02", "hailuo-2.3-fast", "h3"]),
    "mode": st.sampled_from([None, "standard", "pro"]),
    "resolution": st.sampled_from([None, "768P", "1080P"]),
    "duration": st.sampled_from([None, "6", "10"]),
    "ratio": st.sampled_from([None, "adaptive", "16:9"]),
    "image": FRAMES,
    "last_image": FRAMES,
    "prompt_optimizer": st.booleans(),
    "count": st.integers(1, MOST_AT_ONCE),
    "new": st.booleans(),
    "yes": st.booleans(),
    "wait": st.booleans(),
    "output": st.one_of(st.none(), LINE),
    "tags": st.lists(LINE, max_size=3).map(tuple),
    "note": st.one_of(st.none(), LINE),
    "name": st.one_of(st.none(), st.sampled_from(["clip", "_x1", "größe"])),
}
#: A prompt, and any of the options.
GENERATE_ARGUMENTS = st.tuples(PROMPTS, st.fixed_dictionaries({}, optional=EACH_OPTION))
