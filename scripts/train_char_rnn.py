"""Train the character model in TensorFlow and keep it as a checkpoint.

python scripts/train_char_rnn.py --text results/char_rnn/data/train.txt \\
    --vocabulary results/char_rnn/export/vocab.json --hidden-size 128 --embedding-size 64 \\
    --out results/char_rnn/model/network --log-out results/char_rnn/model/training.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.characters import encode, read_vocabulary
from trtflow.formats.files import write_json
from trtflow.families.char_rnn.network import create_weights, save_checkpoint, train
from trtflow.families.keras_digits.network import prepare_tensorflow
from trtflow.families.common.schedule import Schedule


def main() -> None:
    """Read the command line and the text, train, and write the network and its losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--text", type=Path, required=True, help="text to train on")
    arguments.add_argument("--vocabulary", type=Path, required=True, help="JSON file of make_text.py")
    arguments.add_argument("--hidden-size", type=int, default=512, help="of each of the two layers")
    arguments.add_argument("--embedding-size", type=int, default=512, help="of a character")
    arguments.add_argument("--steps", type=int, default=1000, help="batches to train on")
    arguments.add_argument("--batch-size", type=int, default=32, help="pieces of the text that go side by side")
    arguments.add_argument("--sequence-length", type=int, default=50, help="characters of a piece that a batch takes")
    arguments.add_argument("--learning-rate", type=float, default=0.01, help="at its highest")
    arguments.add_argument("--seed", type=int, default=0, help="of the first weights")
    arguments.add_argument("--threads", type=int, default=1, help="another number may change the last digits")
    arguments.add_argument("--out", type=Path, required=True, help="prefix of a checkpoint to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    prepare_tensorflow(options.seed, options.threads)
    vocabulary = read_vocabulary(options.vocabulary)
    text = encode(options.text.read_text(encoding="utf-8"), vocabulary, options.text)
    weights = create_weights(len(vocabulary), options.embedding_size, options.hidden_size)
    schedule = Schedule(options.steps, options.batch_size, options.learning_rate, options.seed)
    losses = train(weights, text, schedule, options.sequence_length)
    write_json(options.log_out, {"loss": {"training": losses}})
    save_checkpoint(weights, options.out)


if __name__ == "__main__":
    run(main)
