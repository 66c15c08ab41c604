"""What the end of a training looks like: still learning, silent, or without a gradient."""

import pandas as pd


def how_it_ended(curves: pd.DataFrame) -> dict[str, float]:
    """What the end of training looks like, means over the seeds of ``curves``: is it still learning, do neurons fire (Hz), do gradients flow?"""
    mean = curves.groupby("step")[["accuracy", "firing_rate", "gradient_norm"]].mean()
    last = mean.iloc[-1]
    earlier = mean[mean.index <= 0.8 * mean.index[-1]]
    before = earlier.iloc[-1] if len(earlier) else mean.iloc[0]
    return {
        "accuracy": last.accuracy,
        "last_gain": last.accuracy - before.accuracy,
        "firing_rate": last.firing_rate,
        "gradient_norm": last.gradient_norm,
    }


def show_how_it_ended(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`how_it_ended` as they are read."""
    shown = {"accuracy": "{:.3f}", "last_gain": "{:+.3f}", "firing_rate": "{:.1f} Hz", "gradient_norm": "{:.2g}"}
    titles = {"last_gain": "gain, last fifth", "firing_rate": "firing rate", "gradient_norm": "gradient norm"}
    return rows[[*shown]].apply(lambda column: column.map(shown[column.name].format)).rename(columns=titles)
