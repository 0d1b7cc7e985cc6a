"""Many change one tree at the same moment: it stays a tree, and siblings stay without gaps."""

import asyncio
import random


async def test_two_moves_below_each_other_make_no_cycle(topics):
    for _ in range(5):
        a, b = await topics.add("a"), await topics.add("b")
        answers = await asyncio.gather(topics.move(a, b), topics.move(b, a))
        assert sorted(answer.status for answer in answers) == [200, 409]
        await topics.tree()


async def test_terms_made_at_once_get_places_and_slugs_of_their_own(topics):
    parent = await topics.add("parent")
    await asyncio.gather(*(topics.add("same", parent, position=random.choice((None, 0, 1))) for _ in range(20)))
    tree = await topics.tree()
    assert len(tree["parent"]) == 20


async def test_a_storm_of_changes_leaves_a_tree(topics):
    random.seed(7)
    terms = [await topics.add(f"t{number}") for number in range(12)]

    async def change(number):
        term, other = random.sample(terms, 2)
        kind = number % 4
        if kind == 0:
            return await topics.merge(term, other)
        if kind == 1:
            return await topics.api.delete(f"/taxonomies/topics/terms/{term}")
        if kind == 2:
            return await topics.api.post("/taxonomies/topics/terms", {"name": "new", "parent_id": other, "position": 0})
        return await topics.move(term, random.choice((other, None)), random.randrange(4))

    answers = []
    for _ in range(4):
        answers += await asyncio.gather(*(change(number) for number in range(16)))
        await topics.tree()
    assert {answer.status for answer in answers} <= {200, 201, 204, 404, 409, 422}
    assert {200, 201} <= {answer.status for answer in answers}
    whole = (await topics.api.get("/taxonomies/topics/terms?page_size=200")).json
    ids = {term["id"] for term in whole["items"]}
    assert whole["total"] == len(ids)
    # Every term is reached from the roots: none hangs in the air or in a ring.
    assert len(str(await topics.tree()).split("'")) // 2 == len(ids)


async def test_moving_a_subtree_and_adding_to_it_at_once_keeps_the_paths_right(topics):
    a, b = await topics.add("a"), await topics.add("b")
    inner = await topics.add("inner", a)
    await asyncio.gather(topics.move(inner, b), *(topics.add(f"leaf {n}", inner) for n in range(6)), topics.move(a, b))
    tree = await topics.tree()
    assert len(tree["b"]["inner"]) == 6
