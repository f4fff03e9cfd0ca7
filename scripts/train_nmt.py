"""Train a translation model in TensorFlow.

python scripts/train_nmt.py --data results/nmt/data --vocabulary-dir results/nmt/export \\
    --out results/nmt/model/translate.ckpt --log-out results/nmt/model/training.json
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.translation import SOURCE, TARGET, padded, read_sentences, read_vocabulary, to_numbers
from trtflow.formats import FormatError
from trtflow.formats.files import write_json
from trtflow.families.keras_digits.network import prepare_tensorflow
from trtflow.families.nmt.network import create_weights, save_checkpoint, train
from trtflow.families.common.schedule import Schedule


def main() -> None:
    """Read the command line and the data, train, and write checkpoint and losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True, help="folder of train.de and train.en")
    arguments.add_argument("--vocabulary-dir", type=Path, required=True, help="folder of vocab.de and vocab.en")
    arguments.add_argument("--units", type=int, default=128, help="size of states, embeddings and attention")
    arguments.add_argument("--layers", type=int, default=2, help="LSTM layers of encoder and decoder")
    arguments.add_argument("--steps", type=int, default=1200, help="batches to train on")
    arguments.add_argument("--batch-size", type=int, default=128, help="sentences of a batch")
    arguments.add_argument("--learning-rate", type=float, default=0.004, help="at its highest")
    arguments.add_argument("--seed", type=int, default=0, help="of the first weights and the order of sentences")
    arguments.add_argument("--threads", type=int, default=2, help="another number may change the last digits")
    arguments.add_argument("--out", type=Path, required=True, help="prefix of the checkpoint to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    prepare_tensorflow(options.seed, options.threads)
    numbers, words = {}, {}
    for language in (SOURCE, TARGET):
        words[language] = read_vocabulary(options.vocabulary_dir / f"vocab.{language}")
        numbers[language] = to_numbers(read_sentences(options.data / f"train.{language}"), words[language])
    if len(numbers[SOURCE]) != len(numbers[TARGET]):
        fault = f"{len(numbers[TARGET])} translations of {len(numbers[SOURCE])} sentences"
        raise FormatError(options.data / f"train.{TARGET}", fault, "Make the data again.")
    lengths = np.array([len(sentence) for sentence in numbers[SOURCE]], np.int32)
    source = padded(numbers[SOURCE], int(lengths.max()))
    target = padded(numbers[TARGET], max(map(len, numbers[TARGET])) + 1)
    weights = create_weights(len(words[SOURCE]), len(words[TARGET]), options.units, options.layers)
    schedule = Schedule(options.steps, options.batch_size, options.learning_rate, options.seed)
    losses = train(weights, source, lengths, target, schedule)
    save_checkpoint(weights, options.out)
    write_json(options.log_out, {"loss": {"training": losses}})


if __name__ == "__main__":
    run(main)
