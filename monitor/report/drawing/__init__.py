"""Pictures of figures, as PNG: the one door of matplotlib, which is loaded only to draw.

What comes in: control charts, or lengths set out in bars. What goes out: the bytes of a picture,
the same for the same input, with the size at which it is shown.
It does not care where a picture goes, nor what is said to who cannot see it (`change_words`,
`lengths`). Shape and words carry what colour says.
"""

from monitor.report.drawing.bars import draw_lengths
from monitor.report.drawing.panels import draw_small_multiples
from monitor.report.drawing.paper import WIDTH, Drawn
from monitor.report.drawing.weeks import draw_chart

__all__ = ["WIDTH", "Drawn", "draw_chart", "draw_lengths", "draw_small_multiples"]
