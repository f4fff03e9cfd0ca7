"""Ratings: made and published ones, what is held out, and files with broken lines."""

import zipfile

import numpy as np
import pytest

from trtflow.datasets.ratings import (
    MEMBER,
    WATCHED,
    leave_one_out,
    make_ratings,
    read_choices,
    read_movielens,
    read_ratings,
    write_choices,
    write_ratings,
)
from trtflow.formats import FormatError, UserError

USERS, MOVIES = 20, 180


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(USERS, MOVIES, seed=3)


def test_made_ratings_are_sorted_and_of_one_to_five_stars(ratings):
    assert (np.lexsort((ratings[:, 3], ratings[:, 0])) == np.arange(len(ratings))).all()
    assert set(ratings[:, 2]) <= {1, 2, 3, 4, 5}
    assert set(ratings[:, 0]) == set(range(USERS))
    assert ratings[:, 1].max() < MOVIES
    counts = np.bincount(ratings[:, 0])
    assert WATCHED[0] <= counts.min() <= counts.max() < WATCHED[1]
    assert len(np.unique(ratings[:, :2], axis=0)) == len(ratings)


def test_one_seed_gives_one_data_set(ratings):
    np.testing.assert_array_equal(ratings, make_ratings(USERS, MOVIES, seed=3))
    assert not np.array_equal(ratings[:50], make_ratings(USERS, MOVIES, seed=4)[:50])


def test_the_last_rating_is_held_out_among_movies_not_rated(ratings):
    train, choices = leave_one_out(ratings, 99, seed=0)
    assert choices.shape == (USERS, 100)
    assert len(train) == len(ratings) - USERS
    for user in range(USERS):
        mine = ratings[ratings[:, 0] == user]
        assert choices[user, -1] == mine[-1, 1]
        assert choices[user, -1] not in train[train[:, 0] == user][:, 1]
        assert not set(choices[user, :-1]) & set(mine[:, 1])
        assert len(set(choices[user])) == 100


def test_files_survive(ratings, tmp_path):
    train, choices = leave_one_out(ratings, 99, seed=0)
    write_ratings(tmp_path / "train.rating", train)
    write_choices(tmp_path / "test.negative", choices)
    np.testing.assert_array_equal(read_ratings(tmp_path / "train.rating", USERS, MOVIES), train)
    users, found = read_choices(tmp_path / "test.negative", USERS, MOVIES)
    np.testing.assert_array_equal(users, np.arange(USERS))
    np.testing.assert_array_equal(found, choices)
    assert users.dtype == found.dtype == np.int32
    assert (tmp_path / "test.negative").read_text().startswith(f"(0,{choices[0, -1]})\t{choices[0, 0]}\t")


@pytest.mark.parametrize(
    "line", ["1\t2\t3", "1\t2\t3\t4\t5", "1 2 3 4", "1\ttwo\t3\t4", "1\t-2\t3\t4", "", "1\t2.5\t3\t4"]
)
def test_a_broken_line_of_ratings_is_named(tmp_path, line):
    path = tmp_path / "train.rating"
    path.write_text(f"0\t1\t5\t9\n{line}\n0\t2\t5\t9\n")
    with pytest.raises(FormatError, match=r"train\.rating: line 2 is not user, movie, rating, time between '\\t'"):
        read_ratings(path, 9, 9)


@pytest.mark.parametrize("line", ["(0,1)\t2", "(0,1)", "0\t1\t2\t3", "(0,1)\t2\tx", "(0,-1)\t2\t3", ""])
def test_a_broken_line_of_choices_is_named(tmp_path, line):
    path = tmp_path / "test.negative"
    path.write_text(f"(0,1)\t2\t3\n{line}\n")
    with pytest.raises(FormatError, match=r"test\.negative: line 2 is not \(user,movie\) and 2 movies"):
        read_choices(path, 9, 9)


@pytest.mark.parametrize("reader", [read_ratings, read_choices])
def test_an_empty_file(tmp_path, reader):
    (tmp_path / "empty").write_text("")
    with pytest.raises(FormatError, match="empty: it has no"):
        reader(tmp_path / "empty", 9, 9)


@pytest.mark.parametrize(("users", "movies", "what"), [(2, 9, "user 2"), (9, 4, "movie 4")])
def test_numbers_out_of_range_are_named(tmp_path, users, movies, what):
    ratings, choices = tmp_path / "train.rating", tmp_path / "test.negative"
    ratings.write_text("0\t1\t5\t9\n2\t4\t5\t9\n")
    choices.write_text("(0,1)\t2\t3\n(2,1)\t3\t4\n")
    for reader, path in ((read_ratings, ratings), (read_choices, choices)):
        message = f"{path.name}: line 2: {what} is out of range, the network has {what.split()[1]}"
        with pytest.raises(FormatError, match=message):
            reader(path, users, movies)
        reader(path, 3, 5)


def archive(path, text):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MEMBER, text)
    return path


def test_movielens_is_renumbered_and_sorted_by_time(tmp_path):
    text = "7::30::5::100\n7::10::3::50\n2::30::4::70\n2::20::1::70\n"
    ratings = read_movielens(archive(tmp_path / "ml-1m.zip", text))
    assert ratings.tolist() == [[0, 1, 1, 70], [0, 2, 4, 70], [1, 0, 3, 50], [1, 2, 5, 100]]


def test_damaged_movielens(tmp_path):
    with pytest.raises(FormatError, match=r"ml-1m\.zip: ml-1m/ratings\.dat: line 2 is not user, movie, rating, time"):
        read_movielens(archive(tmp_path / "ml-1m.zip", "1::1::5::9\n1::2::5\n"))
    (tmp_path / "no.zip").write_bytes(b"no")
    with pytest.raises(FormatError, match=r"no\.zip: not MovieLens-1M"):
        read_movielens(tmp_path / "no.zip")


def test_too_few_movies(ratings):
    with pytest.raises(UserError, match="59 movies are too few"):
        make_ratings(3, 59, 0)
    with pytest.raises(UserError, match="movies, 170 are needed"):
        leave_one_out(ratings, 170, 0)
