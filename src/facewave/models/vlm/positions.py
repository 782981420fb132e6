"""Where the tokens of a prompt with videos stand, for models that count time, height and width.

Legend of names: n prompts, L tokens of one.
"""

from inspect import signature
from typing import Any

from torch import Tensor, nn


def positions(backbone: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """As ``position_ids``, (3, n, L); nothing for models that count tokens only.

    Text goes on behind the largest position of all before it, whichever axis that is on, as in
    Qwen's own code (Qwen2-VL: Wang et al., 2024, 2.1). transformers (5.23) has it go on behind a
    video's height or width, beyond which the time of a video may reach (of 224 x 224 pixels, from
    eight seconds on); then what is read after a cache stands elsewhere than what is read at once.
    """
    model: Any = backbone
    get_positions = getattr(model.model, "get_rope_index", None)
    if get_positions is None:
        return {}
    names = signature(get_positions).parameters
    known = {name: inputs[name].cpu() for name in names if name in inputs}  # it looks at each
    positions_3nL = get_positions(**known)[0]
    for row_3L, kinds_L in zip(positions_3nL.unbind(1), known["mm_token_type_ids"], strict=True):
        for start in (kinds_L.diff().nonzero().flatten() + 1).tolist():
            row_3L[:, start:] += row_3L[:, :start].max() + 1 - row_3L[:, start:][:, 0].min()
    return {"position_ids": positions_3nL.to(inputs["input_ids"].device)}
