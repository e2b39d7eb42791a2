"""Sinks: where ended runs are told of beside the run log, such as MLflow or Weights & Biases.

Which ones is a person's choice (``%config Hailuo.sinks = ["mlflow"]``); without it nothing leaves.

- `base`: what a sink is, for those who write one;
- `offered`: those there are, ours and those of other packages;
- `relay`: hears of runs, and hands them on without delaying any;
- `courier`: one child process for each sink, in which `worker` loads and calls it;
- `facts`: a record as parameters, figures and labels;
- `to_mlflow`, `to_wandb`, `to_trackio`: ours.
"""
