BEGIN TRANSACTION;
CREATE TABLE blocks (
                provider TEXT PRIMARY KEY,
                since REAL NOT NULL,
                until REAL NOT NULL
            );
CREATE TABLE migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL);
INSERT INTO "migrations" VALUES('0001_runs','2026-11-21T09:26:51Z');
INSERT INTO "migrations" VALUES('0002_pacing','2026-11-21T09:26:51Z');
CREATE TABLE runs (
                run_id TEXT PRIMARY KEY,
                state TEXT NOT NULL,
                revision INTEGER NOT NULL,
                provider TEXT NOT NULL,
                kind TEXT NOT NULL,
                fingerprint TEXT NOT NULL,
                notebook_id TEXT,
                cell_id TEXT,
                folder NOT NULL,
                job_id TEXT,
                owner TEXT,
                created REAL NOT NULL,
                updated REAL NOT NULL,
                unfinished INTEGER NOT NULL,
                duration REAL,
                interrupted INTEGER NOT NULL DEFAULT 0,
                record_json TEXT NOT NULL
            );
INSERT INTO "runs" VALUES('20260921-150000-aaaaa1','completed',6,'segmind','segmind/minimax-hailuo-2/mode=standard','1:3788fb14971859a3543f0f643ddc34e5f0be66d639c1f990d49df6667633e53a','nb-old','c1','/clips','job-1',NULL,1790003600.0,1.79000360000000476837e+09,0,120.0,0,'{"body": null, "catalogue_date": "2026-09-23", "clip": {"bytes": 5000000, "codec": "h264", "duration_s": 6.0, "fps": 24.0, "frames": 144, "height": 768, "path": "20260921-150000-aaaaa1.mp4", "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "width": 1366}, "cost": {"actual": 0.3125, "actual_source": "the provider", "as_of": "2026-08", "currency": "USD", "estimate_high": 0.3875, "estimate_low": 0.27, "kind": "inferred", "source": "Segmind''s model directory (llms.txt): 0.3875 USD on average over all modes"}, "dialect": "segmind", "endpoint": null, "fingerprint": "1:3788fb14971859a3543f0f643ddc34e5f0be66d639c1f990d49df6667633e53a", "job": {"answers": {}, "client_request_id": "00000000-0000-4000-8000-000000000001", "id": "job-1", "inference_time_s": null, "media_link": null}, "model": "minimax-hailuo-2", "name": "heron", "note": "the best one", "origin": {"cell_id": "c1", "notebook_id": "nb-old", "notebook_path": "old.ipynb", "source_sha256": "0000000000000000000000000000000000000000000000000000000000000000"}, "parent": null, "position": null, "problem": null, "provider": "segmind", "rating": null, "reproducibility": {"fixed": ["prompt", "options", "name of the model", "prompt optimizer on or off"], "identical": false, "not_fixed": ["random seed", "model behind its name", "prompt as the optimizer rewrote it"], "prompt_optimizer": "on: the provider rewrites the prompt and does not show the result", "repeatable": true, "seed": "not accepted by this provider", "statement": "This request can be sent again as it was, and the clip would be another one: not fixed are random seed, model behind its name, prompt as the optimizer rewrote it."}, "request": {"first_frame": null, "last_frame": null, "options": {"mode": "standard"}, "prompt": "A heron lifts off,\nslowly — Ödland 雨", "prompt_optimizer": true}, "revision": 6, "run_id": "20260921-150000-aaaaa1", "schema": "hailuo-run/1", "state": "completed", "sweep": null, "tags": ["sea", "a \"quoted\" one"], "times": {"completed": "2026-09-21T15:18:20.000Z", "downloading": "2026-09-21T15:17:20.000Z", "generating": "2026-09-21T15:16:20.000Z", "prepared": "2026-09-21T15:13:20.000Z", "submitted": "2026-09-21T15:15:20.000Z", "submitting": "2026-09-21T15:14:20.000Z"}, "versions": {"hailuo_jupyter": "0.1.0", "ipython": "8.30.0", "platform": "Linux 6.1 x86_64", "python": "3.11.9"}, "wire": "v2"}');
INSERT INTO "runs" VALUES('20260921-160000-aaaaa2','failed',4,'aimlapi','aimlapi/minimax/hailuo-02/resolution=768P,duration=10','1:5b6f4f0f8eca8d2970195d8eed82b877c63e5ca41cfb6e98a511f1d3816b0e5d','nb-old','c1','/clips','job-2',NULL,1790007200.0,1.79000720000000286104e+09,0,NULL,0,'{"body": null, "catalogue_date": "2026-08-21", "clip": null, "cost": {"actual": null, "actual_source": null, "as_of": "2025-12", "currency": "USD", "estimate_high": 0.588, "estimate_low": 0.588, "kind": "inferred", "source": "https://docs.aimlapi.com (sample charge of minimax/hailuo-2.3: 588,000 credits)"}, "dialect": "aimlapi", "endpoint": null, "fingerprint": "1:5b6f4f0f8eca8d2970195d8eed82b877c63e5ca41cfb6e98a511f1d3816b0e5d", "job": {"answers": {}, "client_request_id": "00000000-0000-4000-8000-000000000002", "id": "job-2", "inference_time_s": null, "media_link": null}, "model": "minimax/hailuo-02", "name": null, "note": null, "origin": {"cell_id": "c1", "notebook_id": "nb-old", "notebook_path": "old.ipynb", "source_sha256": "0000000000000000000000000000000000000000000000000000000000000000"}, "parent": null, "position": null, "problem": {"code": "job_failed", "money": "", "todo": "", "what": "It failed."}, "provider": "aimlapi", "rating": null, "reproducibility": {"fixed": ["prompt", "options", "name of the model", "prompt optimizer on or off"], "identical": false, "not_fixed": ["random seed", "model behind its name", "prompt as the optimizer rewrote it"], "prompt_optimizer": "on: the provider rewrites the prompt and does not show the result", "repeatable": true, "seed": "not accepted by this provider", "statement": "This request can be sent again as it was, and the clip would be another one: not fixed are random seed, model behind its name, prompt as the optimizer rewrote it."}, "request": {"first_frame": null, "last_frame": null, "options": {"duration": 10, "resolution": "768P"}, "prompt": "A failed city", "prompt_optimizer": true}, "revision": 4, "run_id": "20260921-160000-aaaaa2", "schema": "hailuo-run/1", "state": "failed", "sweep": null, "tags": [], "times": {"failed": "2026-09-21T16:16:20.000Z", "prepared": "2026-09-21T16:13:20.000Z", "submitted": "2026-09-21T16:15:20.000Z", "submitting": "2026-09-21T16:14:20.000Z"}, "versions": {"hailuo_jupyter": "0.1.0", "ipython": "8.30.0", "platform": "Linux 6.1 x86_64", "python": "3.11.9"}, "wire": "legacy"}');
INSERT INTO "runs" VALUES('20260921-170000-aaaaa3','prepared',1,'segmind','segmind/minimax-hailuo-2/mode=pro','1:0c743477a8a4a9793186ba4b4b5086f15dd80ac67e0c263d4da5a6e4423ce26e','nb-old','c1','/clips',NULL,NULL,1790010800.0,1790010800.0,1,NULL,0,'{"body": null, "catalogue_date": "2026-09-23", "clip": null, "cost": {"actual": null, "actual_source": null, "as_of": "2026-08", "currency": "USD", "estimate_high": 0.625, "estimate_low": 0.3875, "kind": "inferred", "source": "Segmind''s model directory (llms.txt): 0.3875 USD on average over all modes"}, "dialect": "segmind", "endpoint": null, "fingerprint": "1:0c743477a8a4a9793186ba4b4b5086f15dd80ac67e0c263d4da5a6e4423ce26e", "job": {"answers": {}, "client_request_id": "00000000-0000-4000-8000-000000000003", "id": null, "inference_time_s": null, "media_link": null}, "model": "minimax-hailuo-2", "name": null, "note": null, "origin": {"cell_id": "c1", "notebook_id": "nb-old", "notebook_path": "old.ipynb", "source_sha256": "0000000000000000000000000000000000000000000000000000000000000000"}, "parent": null, "position": null, "problem": null, "provider": "segmind", "rating": null, "reproducibility": {"fixed": ["prompt", "options", "name of the model", "prompt optimizer on or off"], "identical": false, "not_fixed": ["random seed", "model behind its name", "prompt as the optimizer rewrote it"], "prompt_optimizer": "on: the provider rewrites the prompt and does not show the result", "repeatable": true, "seed": "not accepted by this provider", "statement": "This request can be sent again as it was, and the clip would be another one: not fixed are random seed, model behind its name, prompt as the optimizer rewrote it."}, "request": {"first_frame": null, "last_frame": null, "options": {"mode": "pro"}, "prompt": "Never sent", "prompt_optimizer": true}, "revision": 1, "run_id": "20260921-170000-aaaaa3", "schema": "hailuo-run/1", "state": "prepared", "sweep": null, "tags": [], "times": {"prepared": "2026-09-21T17:13:20.000Z"}, "versions": {"hailuo_jupyter": "0.1.0", "ipython": "8.30.0", "platform": "Linux 6.1 x86_64", "python": "3.11.9"}, "wire": "v2"}');
CREATE TABLE slots (provider TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX runs_fingerprint ON runs (fingerprint, notebook_id, created);
CREATE INDEX runs_state ON runs (state, created);
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_notebook ON runs (notebook_id, created);
CREATE INDEX runs_provider ON runs (provider, created);
CREATE INDEX runs_updated ON runs (updated);
CREATE INDEX runs_tail ON runs (substr(run_id, -6));
CREATE INDEX runs_unfinished ON runs (created) WHERE unfinished = 1;
CREATE INDEX runs_kind ON runs (kind, created, duration)
            WHERE duration IS NOT NULL AND interrupted = 0
            ;
CREATE INDEX slots_provider ON slots (provider, at);
COMMIT;
