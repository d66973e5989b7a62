"""Run the analyses of a command: several at a time, from the kept results, with their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import click

from gradflow.audit.run import Here, Runner, each_done
from gradflow.cli.formats import warming
from gradflow.cli.options import Group, option
from gradflow.cli.output import Stderr
from gradflow.cli.signals import orderly_end
from gradflow.findings import ModelReport, Severity
from gradflow.lazy_dataclass import dataclass
from gradflow.options import Options
from gradflow.process.parent import Outcome
from gradflow.progress import Progress

if TYPE_CHECKING:
    from gradflow.audit.check_model import Checked, Inspect
    from gradflow.config import ModelPlan


class Result(Protocol):
    """What comes of one model."""

    @property
    def remark(self) -> str:
        """Something that the user should know about how it came about."""


T = TypeVar("T")
R = TypeVar("R", bound=Result)


def no_cache_option() -> Any:
    """Make the field of ``--no-cache``."""
    return option(
        "--no-cache", is_flag=True, help="Use no result of an earlier run, and keep none."
    )


@dataclass(frozen=True, slots=True)
class Jobs(Group):
    """How many models are looked at at a time."""

    heading: ClassVar[str] = "Run"

    jobs: int | None = option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 1000),
        help="Models at a time.  [default: one for each processor]",
    )


@dataclass(frozen=True, slots=True)
class Run(Jobs):
    """How many models are analysed at a time, and whether results are kept."""

    no_cache: bool = no_cache_option()


@dataclass(frozen=True, slots=True)
class Kept(Group):
    """Whether results are kept, of one model."""

    heading: ClassVar[str] = "Run"

    no_cache: bool = no_cache_option()


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """The results of a run."""

    results: list[R]
    """Of the models that are done, in the order of the command line or the configuration."""
    ending: SystemExit | None
    """What stopped the run early."""

    def whole(self) -> list[R]:
        """Return the results of all models.

        Raises:
            SystemExit: the run was stopped.
        """
        if self.ending is not None:
            raise self.ending
        return self.results


def fails(model: ModelReport, fail_on: Severity | None) -> bool:
    """Return whether something as bad as ``fail_on`` is found in the model; False without it."""
    if fail_on is None:
        return False
    from gradflow.policy import is_broken  # seldom needed, and takes a while to import

    return is_broken(model, fail_on)


class Engine:
    """Runs the analyses of one command; made by ``engine``."""

    def __init__(
        self,
        runner: Runner,
        inspect: Inspect,
        jobs: int | None,
        stderr: Stderr,
        formats: Sequence[str],
    ) -> None:
        self._runner = runner
        self._jobs = jobs or runner.jobs
        self._stderr = stderr
        self._formats = formats
        self.inspect = inspect
        """Analyses one model, or has the result of an earlier run."""

    def inspected(
        self, paths: Sequence[str], options: Options, fail_on: Severity | None = None
    ) -> Done[Outcome]:
        """Analyse the models at ``paths``; progress calls one broken where something as bad as
        ``fail_on`` is found in it."""
        return self.each(
            paths,
            lambda path, progress: self.inspect(path, options, progress),
            paths,
            lambda outcome: (outcome.model, fails(outcome.model, fail_on)),
        )

    def checked(
        self, plans: Sequence[ModelPlan], check: Callable[[ModelPlan, Progress], Checked]
    ) -> Done[Checked]:
        """Analyse and judge the models of ``plans`` with ``check``."""
        names = [plan.name or plan.path for plan in plans]
        return self.each(plans, check, names, lambda result: (result.model, result.is_broken))

    def each(
        self,
        items: Sequence[T],
        work: Callable[[T, Progress], R],
        names: Sequence[str],
        judged: Callable[[R], tuple[ModelReport, bool]],
    ) -> Done[R]:
        """Do ``work`` on each of ``items``, in any thread; what stops several early is in the
        result.

        ``names`` are what progress calls them, ``judged`` tells the report in a result and whether
        it is broken.
        """
        stderr = self._stderr
        if len(items) == 1:
            with orderly_end(), stderr.progress(names[0]) as stage:
                result = work(items[0], warming(stage, self._formats))
            stderr.remark(result.remark)
            return Done([result], None)
        from gradflow.cli.live_progress import Display  # which one model does without

        display = Display(names, quiet=stderr.quiet, verbose=stderr.verbose)
        warm = warming(lambda _: None, self._formats)

        def stage_of(index: int, label: str) -> None:
            warm(label)
            display.stage(index, label)

        finished: dict[int, R] = {}
        ending: SystemExit | None = None
        results = each_done(items, min(self._jobs, len(items)), work, stage_of, self._runner.stop)
        try:
            with orderly_end(), display:
                for index, result in results:
                    finished[index] = result
                    stderr.remark(result.remark)
                    model, is_broken = judged(result)
                    display.finished(index, model, is_broken)
                    if display.shows_lines:
                        stderr.has_shown(model)
        except SystemExit as stopped:
            ending = stopped
            results.close()
            stderr.remark(
                f"stopped: {len(finished):,} of {len(items):,} models are done; the next run "
                f"continues from there"
            )
        return Done([finished[index] for index in sorted(finished)], ending)


@contextmanager
def engine(
    models: int, run: Run | Kept, stderr: Stderr, formats: Sequence[str] = ()
) -> Iterator[Engine]:
    """Give what analyses that many models on this machine.

    ``formats`` are those of the report: what they need is imported meanwhile.
    """
    with Here(models) as runner:
        yield engine_of(runner, run, stderr, formats)


def engine_of(
    runner: Runner, run: Run | Kept, stderr: Stderr, formats: Sequence[str] = ()
) -> Engine:
    """Return what analyses models by ``runner``, or has the results of earlier runs."""
    inspect = runner.inspect
    # Who wants to see what TensorFlow says wants the model run.
    if not run.no_cache and not stderr.verbose:
        from gradflow.audit.cache import Cache, default_folder

        folder = default_folder()
        inspect = inspect if folder is None else Cache(folder).through(inspect)
    jobs = run.jobs if isinstance(run, Run) else None
    return Engine(runner, inspect, jobs, stderr, formats)


@contextmanager
def scanner(
    models: int, run: Jobs, stderr: Stderr, formats: Sequence[str] = ()
) -> Iterator[Engine]:
    """Give what looks for what could do harm in that many models, and runs none."""
    with Here(models) as runner:
        yield Engine(runner, runner.scan, run.jobs, stderr, formats)
