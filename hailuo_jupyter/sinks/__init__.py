"""Sinks: other destinations for finished runs, such as MLflow or Weights & Biases.

A person chooses them (``%config Hailuo.sinks = ["mlflow"]``); by default nothing is sent.

- `base`: the interface of a sink, for authors of sinks;
- `registry`: the sinks that exist, ours and those of other packages;
- `dispatch`: receives changed runs, and starts ``jupyter hailuo log-to`` for each one that is finished;
- `delivery`: the work of that command: load the sink and call it;
- `status`: the status of each sink, in words;
- `mapping`: a record as parameters, figures and labels;
- `mlflow`, `wandb`, `trackio`: ours.
"""
