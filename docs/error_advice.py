"""Causes of each error, and what to do, for the page of errors; a test checks that no class is missing."""

from __future__ import annotations

#: By the name of the class: causes, what to do.
ADVICE = {
    "RequestError": (
        "The base of PromptError, FrameError and OptionError; it is not raised itself.",
        "See these three.",
    ),
    "PromptError": (
        (
            "The prompt is empty or longer than the model takes; or a `{variable}` in it does not "
            "exist or is None."
        ),
        (
            "Shorten the prompt, or run the cell that defines the variable. Write `{{` and `}}` for"
            " literal braces."
        ),
    ),
    "FrameError": (
        (
            "The picture has another format than JPEG or PNG, is too small, too large or too wide; "
            "the file or the run does not exist; or the model takes no such frame."
        ),
        (
            "The message has the line of code that converts the picture. If a folder was moved, run "
            "`jupyter hailuo relink FOLDER`."
        ),
    ),
    "OptionError": (
        (
            "A misspelled option or value; an option of another model or provider; or two options "
            "that exclude each other."
        ),
        (
            "The message names the valid values, and the models and providers that take the option."
            " `%%hailuo --help` lists all options."
        ),
    ),
    "SettingsError": (
        (
            "A misspelled setting; a value of the wrong kind; an address that is neither https nor "
            "on this machine; an invalid proxy or certificate; or no folder for the run log."
        ),
        (
            "`%hailuo settings` shows each value and where it comes from; `jupyter hailuo doctor` "
            "checks the network's settings."
        ),
    ),
    "KeyMissing": (
        (
            "No key is in this kernel, in the environment, in `.env` or in the keyring; or the only"
            " key is for a provider that is used only if you name it."
        ),
        (
            "Get a key at the page that the message names, and enter it with `%hailuo key "
            "PROVIDER`; or name the provider with `--provider`. The demo needs no key."
        ),
    ),
    "KeyConflict": (
        "The key was replaced in `.env` or in the keyring, and not in the other of the two.",
        "Choose once: `%hailuo key PROVIDER --use .env` or `--use keyring`.",
    ),
    "NotBought": (
        (
            "The notebook has a run of this request that is unconfirmed, or that was paid for and "
            "whose clip is gone, or is on another drive."
        ),
        (
            "Restore the clip or its folder (`jupyter hailuo relink FOLDER`). `--new` buys another "
            "clip. If the run is unconfirmed, check the provider's history first."
        ),
    ),
    "BudgetExceeded": (
        (
            "The upper estimate of the request is more than what is left of the notebook's or the "
            "day's budget; or a budget is set and the price is unknown."
        ),
        (
            "`%hailuo cost` shows what was spent. Raise the budget with `%config`, or set your own "
            "price in `Hailuo.prices_usd`."
        ),
    ),
    "NotConfirmed": (
        (
            "The sweep has more runs or a higher price than `Hailuo.sweep_confirm_runs` and "
            "`sweep_confirm_usd` allow without a question; or a confirmed request has changed; or a"
            " purchase needs a terminal to ask in."
        ),
        "Look at the plan, then press its button or add `--yes`.",
    ),
    "NotSent": (
        (
            "The kernel ended, or the run was cancelled, before its request was sent; or no process"
            " works on it."
        ),
        "Rerun the cell to send it. If the run was bought already, `%hailuo resume` continues it.",
    ),
    "OwnerStopped": (
        (
            "A process was suspended (Ctrl-Z, a debugger, a paused container) while it worked on "
            "the run."
        ),
        "Resume that process or end it; the message says how. Then rerun the cell.",
    ),
    "ProviderError": (
        "The base of the errors that a provider's answer causes.",
        "See the classes below it in the tree.",
    ),
    "KeyRefused": (
        "The key is wrong, was deleted at the provider, or is not permitted to use this model.",
        (
            "Enter a valid key with `%hailuo key PROVIDER`. If a clip was being generated, run "
            "`%hailuo resume` afterwards: it stays paid for."
        ),
    ),
    "WaitsForItsKey": (
        (
            "The current key belongs to another account than the one that bought the run; or the "
            "provider's address was changed."
        ),
        (
            "Set the key or the address that bought the run. It is checked every minute, or at once"
            " with `%hailuo resume`."
        ),
    ),
    "Blocked": (
        "A VPN, firewall or proxy answered in place of the provider.",
        "Check the VPN and the proxy's settings, or try another network; then rerun the cell.",
    ),
    "NoCredits": (
        "The account has no credit left, or a team's spending limit is reached.",
        (
            "Add credit at the provider, then rerun the cell. `%hailuo providers --balance` shows "
            "the balance."
        ),
    ),
    "RateLimited": (
        "You or your other programs send more requests than your plan allows.",
        (
            "Nothing, since requests wait and are sent again. `Hailuo.requests_per_minute` sets a limit "
            "that is never exceeded."
        ),
    ),
    "Rejected": (
        (
            "The provider found a mistake in the request, does not offer the model any more, or "
            "wants a payment method first."
        ),
        "The message has the provider's own words. Fix the problem and rerun the cell.",
    ),
    "Moderated": (
        "The provider's filter found forbidden content in the prompt, a frame or the clip.",
        (
            "Change the prompt or the frames. The message says whether the attempt was charged, if "
            "the provider documents it."
        ),
    ),
    "JobFailed": (
        "The model or the provider's machines failed; the provider may give no reason.",
        (
            "Rerun the cell to send it again. The message says whether the attempt was charged, if "
            "the provider documents it."
        ),
    ),
    "JobExpired": (
        (
            "No process polled the run before the provider deleted the result, and the clip's link "
            "and the history led to no file."
        ),
        (
            "Look for the clip on the provider's page. `--new` buys another. `jupyter hailuo "
            "collect` in cron avoids this."
        ),
    ),
    "ProviderDown": (
        "No network; a proxy's or firewall's page; or the provider has an outage.",
        (
            "Polls and downloads are repeated automatically. A request that was not sent is sent "
            "only when you rerun the cell."
        ),
    ),
    "CannotCancel": (
        "The provider cannot stop jobs, it has ended or is not known yet, or another process works on it.",
        (
            "Wait for the clip: it is paid for. If the run is being submitted, cancel it again afterwards. "
            "If another kernel works on the run, cancel it there."
        ),
    ),
    "Cancelled": (
        "You or a program with your key cancelled the job.",
        "Rerun the cell to send it again. The message says what the provider charges.",
    ),
    "AnswerLost": (
        (
            "The network or the provider failed after the request was sent and before its answer "
            "arrived. The run is then *unconfirmed*."
        ),
        (
            "Wait: the provider's history is searched automatically, where it has one. If the job is not "
            "found, look at the provider's page yourself, then add `--new`."
        ),
    ),
    "ClipError": (
        "The download broke off, its link expired, or the file is damaged.",
        (
            "Downloads are repeated while the provider keeps the clip; `%hailuo resume` tries at "
            "once. A damaged file of yours can be restored from a backup."
        ),
    ),
    "ClipTooLarge": (
        "The clip is very long, or its link leads to something else.",
        (
            "Look at the clip on the provider's page. Raise `Hailuo.max_clip_gb`, then run `%hailuo"
            " resume`."
        ),
    ),
    "DiskError": (
        "A drive was disconnected or failed, or the name belongs to something that is not a file.",
        (
            "Make the folder available; a download is repeated automatically. The message says "
            "where a clip was saved instead."
        ),
    ),
    "DiskFull": (
        "The drive of the clips or of the run log is full, or a quota is used up.",
        (
            "Free some space: `jupyter hailuo du` and `jupyter hailuo prune` help. Downloads "
            "continue by themselves."
        ),
    ),
    "FolderNotWritable": (
        "The folder does not exist, is read-only or belongs to another user.",
        "Make it writable, or choose another with `--output` or `Hailuo.output_dir`.",
    ),
    "RunLogError": (
        (
            "The run log is on a network drive without file locks, is damaged, belongs to another "
            "program, or a newer version wrote it."
        ),
        (
            "Set `HAILUO_RUN_LOG` to a file on a local disk, or update the package. `jupyter hailuo"
            " import FOLDER` restores a lost log from the records next to the clips."
        ),
    ),
    "RecordUnreadable": (
        "You use an older version than the one that made the run; or the file was damaged.",
        "Install the newest version. The clip and its record are in the run's folder.",
    ),
    "RunNotFound": (
        "A typo, a part of an id that several runs share, or a run in another run log.",
        (
            "`%hailuo runs --all` lists the runs. `jupyter hailuo import FOLDER` adds those of a "
            "colleague's folder."
        ),
    ),
    "WaitTimeout": (
        "The run took longer than the time that you gave `wait`.",
        "Wait again: the run continues and costs nothing more.",
    ),
    "NotebookError": (
        (
            "The file is not a notebook, was changed by another program, contains unknown content "
            "under `hailuo`, or names a kernel that is not installed."
        ),
        "Open it in Jupyter and save it, or do what the message says; then repeat the command.",
    ),
    "CrateError": (
        "The output exists already, or cannot be written.",
        "Choose another name for `-o`.",
    ),
}
