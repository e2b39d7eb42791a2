"""The panel: a form of ipywidgets that makes the same requests as ``%%hailuo``.

What the form holds is plain data (`form`), judged by pure functions (`checks`). The widgets show it
(`fields`, `frame_row`, `look`), runs stand in cards below (`card_slot`, `shelf`), and `panel` brings
them together.
"""
