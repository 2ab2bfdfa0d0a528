"""Callbacks of scikit-learn: an epoch is a task, wherever the transformer stands."""

import pickle

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LEFT_BY_CALLBACKS = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")


class Recorder:
    """Note the calls of the hooks; ask to stop, or raise, at the end of an epoch."""

    def __init__(self, stop_at=None, raise_at=None, error=KeyboardInterrupt):
        self.stop_at, self.raise_at, self.error = stop_at, raise_at, error
        self.calls, self.codes, self.scores = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.calls.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name} {context.task_id}")
        if context.task_name != "epoch":
            return False
        self.codes.append(fitted_estimator.transform(X))
        self.scores.append(fitted_estimator.score(X))
        if context.task_id == self.raise_at:
            raise self.error
        return context.task_id == self.stop_at


class Spreading(Recorder):
    """The same, handed on from a pipeline or a search to what stands inside of it."""

    max_propagation_depth = None


def assert_nothing_is_left(estimator):
    for name in LEFT_BY_CALLBACKS:
        assert not hasattr(estimator, name)
    assert b"sklearn.callback" not in pickle.dumps(estimator.net_)


@pytest.mark.quick
def test_an_epoch_is_a_task(quick, X):
    recorder = Recorder()
    quick(max_epochs=2, early_stopping=False).set_callbacks(recorder).fit(X)
    assert recorder.calls == [
        "setup",
        "begin fit 0",
        "begin epoch 0",
        "end epoch 0",
        "begin epoch 1",
        "end epoch 1",
        "end fit 0",
        "teardown",
    ]


@pytest.mark.quick
def test_partial_fit_is_a_task_of_one_epoch(quick, X):
    recorder = Recorder()
    quick().set_callbacks(recorder).partial_fit(X)
    assert recorder.calls.count("begin epoch 0") == 1
    assert recorder.calls[0] == "setup"
    assert recorder.calls[-1] == "teardown"


def test_a_refit_is_a_task_of_as_many_epochs_as_were_best(quick, X):
    recorder = Recorder()
    autoencoder = quick(max_epochs=8, lr=0.01, refit=True).set_callbacks(recorder).fit(X)
    assert autoencoder.best_epoch_ > 0
    start, end = (
        next(c for c in recorder.calls if c.startswith(f"{x} refit")) for x in ("begin", "end")
    )
    inside = recorder.calls[recorder.calls.index(start) + 1 : recorder.calls.index(end)]
    assert [call for call in inside if call.startswith("end epoch")] == [
        f"end epoch {i}" for i in range(autoencoder.best_epoch_)
    ]


@pytest.mark.quick
def test_no_epochs_are_a_task_without_parts(quick, X):
    recorder = Recorder()
    quick(max_epochs=0, early_stopping=False).set_callbacks(recorder).fit(X)
    assert recorder.calls == ["setup", "begin fit 0", "end fit 0", "teardown"]


def test_callbacks_do_not_change_the_result(quick, X):
    watched = quick().set_callbacks(Recorder()).fit(X)
    np.testing.assert_array_equal(watched.transform(X), quick().fit(X).transform(X))


@pytest.mark.parametrize("params", [{"early_stopping": False}, {"linear_shortcut": False}], ids=str)
def test_hooks_get_an_estimator_as_if_the_fit_had_stopped_there(quick, X, params):
    recorder = Recorder()
    params = {"lr_schedule": "constant", "lr": 0.3, "refit": False, **params}
    quick(max_epochs=6, **params).set_callbacks(recorder).fit(X)
    assert len(recorder.codes) == 6
    best_epochs = []
    for n_epochs, codes in enumerate(recorder.codes, start=1):
        stopped = quick(max_epochs=n_epochs, **params).fit(X)
        np.testing.assert_array_equal(codes, stopped.transform(X))
        best_epochs.append(stopped.best_epoch_)
    if "linear_shortcut" in params:
        assert best_epochs != [1, 2, 3, 4, 5, 6]  # the weights of an earlier epoch were kept


def test_the_estimator_of_a_hook_does_not_change_with_later_epochs(quick, X):
    class Keeper(Recorder):
        def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
            if fitted_estimator is not None:
                self.kept.append((fitted_estimator, fitted_estimator.transform(X)))

    keeper = Keeper()
    keeper.kept = []
    autoencoder = quick(lr=0.05, refit=False).set_callbacks(keeper).fit(X)
    assert len(keeper.kept) == 3
    for estimator, codes in keeper.kept:
        np.testing.assert_array_equal(estimator.transform(X), codes)
    assert np.abs(keeper.kept[0][1] - autoencoder.transform(X)).max() > 1e-6


@pytest.mark.quick
def test_a_true_answer_stops_the_fit(quick, X):
    recorder = Recorder(stop_at=1)
    autoencoder = quick(max_epochs=9).set_callbacks(recorder).fit(X)
    assert autoencoder.n_iter_ == 2
    assert recorder.calls[-2:] == ["end fit 0", "teardown"]
    assert autoencoder.transform(X).shape == (120, 2)


def test_nothing_is_left_after_a_fit(quick, X):
    autoencoder = quick().set_callbacks(Recorder(), ProgressBar()).fit(X)
    assert_nothing_is_left(autoencoder)
    pickle.dumps(autoencoder)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_in_a_callback_reaches_the_caller_and_keeps_what_was_fitted(quick, X, error):
    autoencoder = quick(max_epochs=4).fit(X)
    codes, before = autoencoder.transform(X), set(vars(autoencoder))
    recorder = Recorder(raise_at=1, error=error)
    with pytest.raises(error):
        autoencoder.set_callbacks(recorder).fit(2 * X)
    assert recorder.calls[-1] == "teardown"
    assert_nothing_is_left(autoencoder)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert set(vars(autoencoder.set_callbacks())) == before
    np.testing.assert_array_equal(autoencoder.fit(X).transform(X), codes)


def test_a_progress_bar_goes_to_its_end(quick, X, capsys):
    quick().set_callbacks(ProgressBar()).fit(X)
    out = capsys.readouterr().out
    assert "AutoencoderTransformer - fit" in out
    assert "100%" in out


def test_a_progress_bar_shows_the_transformer_inside_of_a_pipeline(quick, X, capsys):
    pipeline = make_pipeline(StandardScaler(), quick())
    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X)
    assert "AutoencoderTransformer - fit" in capsys.readouterr().out
    assert_nothing_is_left(pipeline[-1])


@pytest.mark.sampled(only=["1"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_progress_bar_shows_the_transformer_inside_of_a_search(quick, X, capsys, n_jobs):
    search = GridSearchCV(quick(), {"n_components": [1, 2]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X)
    out = capsys.readouterr().out
    assert "GridSearchCV - fit" in out
    assert out.count("AutoencoderTransformer - fit") >= 4
    assert_nothing_is_left(search.best_estimator_)


def test_epochs_are_tasks_inside_of_a_pipeline(quick, X):
    spreading = Spreading()
    autoencoder = quick(refit=False)
    make_pipeline(StandardScaler(), autoencoder).set_callbacks(spreading).fit(X)
    assert sum(call.startswith("end epoch") for call in spreading.calls) == 3
    assert spreading.calls.count("setup") == 1


def test_epochs_are_tasks_inside_of_a_search(quick, X):
    spreading = Spreading()
    search = GridSearchCV(quick(refit=False), {"n_components": [1, 2]}, cv=2)
    search.set_callbacks(spreading).fit(X)
    n_fits = 2 * 2 + 1
    assert sum(call.startswith("end epoch") for call in spreading.calls) == 3 * n_fits
    assert_nothing_is_left(search.best_estimator_)


def scores(estimator, X, y=None):
    """Two scores under names: in scikit-learn 1.9.1 a monitor fails on a single number."""
    return {"explained": estimator.score(X), "least": estimator.score_samples(X).min()}


@pytest.mark.quick
def test_a_scoring_monitor_scores_each_epoch(quick, X):
    monitor = ScoringMonitor(scoring=scores)
    autoencoder = quick(early_stopping=False, max_epochs=4).set_callbacks(monitor).fit(X)
    epochs = monitor.get_logs().data_as_pandas
    assert list(epochs["task_name"]) == ["epoch"] * 4
    assert list(epochs["task_id"]) == [0, 1, 2, 3]
    assert epochs["explained"].nunique() == 4
    assert epochs["explained"].iloc[-1] == pytest.approx(autoencoder.score(X), abs=1e-12)
    assert epochs["least"].iloc[-1] == pytest.approx(autoencoder.score_samples(X).min(), abs=1e-12)


def test_a_scoring_monitor_scores_each_epoch_inside_of_a_pipeline(quick, X):
    monitor = ScoringMonitor(scoring=scores)
    autoencoder = quick(refit=False).set_callbacks(monitor)
    make_pipeline(StandardScaler(), autoencoder, LogisticRegression()).fit(X, X[:, 0] > 0)
    epochs = monitor.get_logs().data_as_pandas
    assert list(epochs["task_name"]) == ["epoch"] * 3
    assert epochs["explained"].between(0, 1).all()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_scoring_monitor_scores_each_epoch_inside_of_a_search(quick, X, n_jobs):
    monitor = ScoringMonitor(scoring=scores)
    autoencoder = quick(refit=False).set_callbacks(monitor)
    GridSearchCV(autoencoder, {"n_components": [1, 2]}, cv=2, n_jobs=n_jobs).fit(X)
    epochs = [log.data_as_pandas for log in monitor.get_logs(select="all")]
    assert sum(len(log) for log in epochs) == 3 * (2 * 2 + 1)
    assert all(log["explained"].between(0, 1).all() for log in epochs)


class StopAfter(Recorder):
    """Ask to stop at the end of the n-th epoch, and perhaps at each one after it."""

    def __init__(self, n_epochs, again):
        super().__init__()
        self.n_left, self.again = n_epochs, again

    def on_fit_task_end(self, estimator, context):
        self.n_left -= context.task_name == "epoch"
        due = self.n_left <= 0 if self.again else self.n_left == 0
        return context.task_name == "epoch" and due


@pytest.mark.parametrize("again", [True, False], ids=["and again", "once"])
@pytest.mark.parametrize("n_epochs", [4, 9], ids=["in the training", "in what follows it"])
def test_a_stop_keeps_the_weights_that_were_validated(quick, X, n_epochs, again):
    params = {"max_epochs": 8, "lr": 0.01}
    stopped = quick(**params).set_callbacks(StopAfter(n_epochs, again)).fit(X)
    validated = quick(**params, refit=False).set_callbacks(StopAfter(n_epochs, again)).fit(X)
    assert stopped.best_epoch_ > 0
    np.testing.assert_array_equal(stopped.transform(X), validated.transform(X))


def test_a_stop_in_what_follows_leaves_no_table_with_the_net(quick, X):
    rows = np.vstack(
        [X + 0.05 * np.random.RandomState(i).standard_normal(X.shape) for i in range(10)]
    )
    params = {"max_epochs": 2, "lr": 0.01, "batch_size": 64}
    stopped = quick(**params).set_callbacks(StopAfter(3, again=False)).fit(rows)
    assert stopped.mean_ != pytest.approx(rows.mean(axis=0), abs=1e-12)  # of the first training
    assert "judge_points" not in dict(stopped.net_.callbacks_)
    validated = quick(**params, refit=False).fit(rows)
    sizes = [len(pickle.dumps(fit.net_)) for fit in (stopped, validated)]
    assert sizes[0] < sizes[1] + rows.nbytes / 10
