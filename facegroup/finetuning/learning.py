"""Learn a projection of descriptors by triplets or by softmax, with early stopping on other people.

Learning uses Keras with the backend in KERAS_BACKEND, imported only when needed. Both methods start from the descriptors'
principal axes. If the dimension stays, these change no similarity, so every change comes from learning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from facegroup.errors import EngineUnavailable
from facegroup.finetuning import triplets
from facegroup.finetuning.triplets import Indices
from facegroup.types import Descriptors, Floats

EPOCHS = 30
"""Most epochs, each over every pair of photos. The paper has 10, over millions of photos."""

PATIENCE = 5
"""Epochs without improvement after which learning stops."""

RATE = 0.25
"""Learning rate of plain gradient descent, as in the paper."""

MARGIN = 0.2
"""Margin α, as a share of the mean squared distance of two people, which differs between networks."""

_BATCH = 128
_SOFTMAX_RATE = 1e-3  # Adam's


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state after an epoch; epoch 0 is the start.

    Attributes:
        number: number of the epoch.
        examples: number of triplets or photos in it.
        loss: their mean loss.
        tpir: TPIR on the people for early stopping.
    """

    number: int
    examples: int
    loss: float
    tpir: float


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The best projection of all epochs.

    Attributes:
        matrix: (k, d) float32.
        best: its epoch, or 0 if none was better than the start.
        epochs: all epochs.
    """

    matrix: Floats
    best: int
    epochs: tuple[Epoch, ...]


class Learner(Protocol):
    """Protocol of a learning method."""

    def matrix(self) -> Floats:
        """Return the current W, (k, d)."""

    def epoch(self) -> tuple[int, float]:
        """Learn from all people once, and return the number of examples and their mean loss."""


def start(descriptors: Descriptors, dimension: int) -> Floats:
    """Return the first principal axes of (n, d) uncentred descriptors as (k, d), k = dimension ≤ d."""
    moment = descriptors.T.astype(np.float64) @ descriptors.astype(np.float64)
    _, axes = np.linalg.eigh(moment)
    return np.ascontiguousarray(axes[:, ::-1][:, :dimension].T, np.float32)


def best(learner: Learner, tpir: Callable[[Floats], float], told: Callable[[int], None] = lambda _: None) -> Learned:
    """Learn until TPIR on other people no longer improves, and return the best projection.

    Args:
        learner: the learning method.
        tpir: returns the TPIR of a matrix on people who are not learned from.
        told: called with the number of epochs done.
    """
    kept, number = learner.matrix(), 0
    epochs = [Epoch(0, 0, 0.0, tpir(kept))]
    for epoch in range(1, EPOCHS + 1):
        examples, loss = learner.epoch()
        matrix = learner.matrix()
        if not examples or not np.isfinite(matrix).all():
            break  # no triplet violates the margin any more, or learning has diverged
        epochs.append(Epoch(epoch, examples, loss, tpir(matrix)))
        told(epoch)
        if epochs[-1].tpir > epochs[number].tpir:
            kept, number = matrix, epoch
        elif epoch - number >= PATIENCE:
            break
    return Learned(kept, number, tuple(epochs))


class Triplets:
    """Learner with the triplet loss of Parkhi et al. 2015, section 4.4.

    The loss is Σ max(0, α + ‖x_a − x_p‖² − ‖x_a − x_n‖²), x = W·φ/‖φ‖.

    Args:
        descriptors: (n, d) of unit length.
        owners: (n,) number of the person in each; every stranger has another number.
        matrix: (k, d) to start from.
        seed: random seed.

    Raises:
        EngineUnavailable: keras or its backend is not installed.
    """

    def __init__(self, descriptors: Descriptors, owners: Indices, matrix: Floats, seed: int) -> None:
        keras = _keras()
        self._rows, self._owners = descriptors, owners
        self._draw = np.random.default_rng([seed, 1])
        self._pairs = triplets.pairs([np.flatnonzero(owners == each).tolist() for each in np.unique(owners)])
        self._layer = keras.layers.Dense(len(matrix), use_bias=False)
        given = keras.Input((3, descriptors.shape[1]))
        self._model = keras.Model(given, self._layer(given))
        self._layer.set_weights([matrix.T])
        apart = triplets.strangers_apart(descriptors @ matrix.T, owners, self._draw)
        self.margin = MARGIN * apart
        self._model.compile(optimizer=keras.optimizers.SGD(RATE), loss=_triplet_loss(self.margin))

    def matrix(self) -> Floats:
        """Return the current W, (k, d)."""
        return _matrix(self._layer)

    def epoch(self) -> tuple[int, float]:
        """Draw a violating negative for every pair, and learn from all of them."""
        chosen = self._pairs[self._draw.permutation(len(self._pairs))[: triplets.PAIRS]]
        projected = self._rows @ self.matrix().T
        made = triplets.violating(projected, self._owners, chosen, self.margin, self._draw)
        losses = [
            float(self._model.train_on_batch(self._rows[part], np.zeros((len(part), 1), np.float32))) * len(part)
            for part in (made[at : at + _BATCH] for at in range(0, len(made), _BATCH))
        ]
        return len(made), sum(losses) / max(1, len(made))


class Softmax:
    """Learner by classification, step 1 of the paper: W followed by a classifier, which is discarded.

    Args:
        descriptors: (n, d) of unit length, of people with two photos or more.
        owners: (n,) number of the person in each, from 0.
        matrix: (k, d) to start from.
        seed: random seed.

    Raises:
        EngineUnavailable: keras or its backend is not installed.
    """

    def __init__(self, descriptors: Descriptors, owners: Indices, matrix: Floats, seed: int) -> None:
        keras = _keras()
        self._rows, self._owners = descriptors, owners
        self._draw = np.random.default_rng([seed, 2])
        classes = int(owners.max()) + 1
        self._layer = keras.layers.Dense(len(matrix), use_bias=False)
        top = keras.layers.Dense(classes)
        given = keras.Input((descriptors.shape[1],))
        self._model = keras.Model(given, top(self._layer(given)))
        self._layer.set_weights([matrix.T])
        # Starting from each person's mean, the classifier is as good as the descriptors from the first step.
        means = np.stack([(descriptors[owners == each] @ matrix.T).mean(axis=0) for each in range(classes)])
        scale = np.float32(1 / max(np.square(means).sum(axis=1).mean() - np.square(means.mean(axis=0)).sum(), 1e-3))
        top.set_weights([scale * means.T, -scale / 2 * np.square(means).sum(axis=1)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile(optimizer=keras.optimizers.Adam(_SOFTMAX_RATE), loss=loss)

    def matrix(self) -> Floats:
        """Return the current W, (k, d)."""
        return _matrix(self._layer)

    def epoch(self) -> tuple[int, float]:
        """Learn from every photo once."""
        order = self._draw.permutation(len(self._rows))
        losses = [
            float(self._model.train_on_batch(self._rows[part], self._owners[part])) * len(part)
            for part in (order[at : at + _BATCH] for at in range(0, len(order), _BATCH))
        ]
        return len(order), sum(losses) / len(order)


def _triplet_loss(margin: float) -> Callable[[Any, Any], Any]:
    from keras import ops

    def loss(_: Any, projected: Any) -> Any:
        anchors, positives, negatives = projected[:, 0], projected[:, 1], projected[:, 2]
        near = ops.sum(ops.square(anchors - positives), axis=-1)
        far = ops.sum(ops.square(anchors - negatives), axis=-1)
        return ops.maximum(0.0, margin + near - far)

    return loss


def _matrix(layer: Any) -> Floats:
    return np.ascontiguousarray(np.asarray(layer.get_weights()[0], np.float32).T)


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        raise EngineUnavailable(f"Fine-tuning needs keras and its backend: {error}") from error
    return keras
