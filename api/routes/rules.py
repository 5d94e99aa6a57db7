"""What deserves an alert."""

from typing import Any

from fastapi import APIRouter, status

from analysis import rule_store
from api.auth import Edit, Read
from api.schemas import ConditionsIn, Preview, Rule, RuleChange, RuleIn
from api.services import Given
from vigie import clock, db
from vigie.errors import InvalidInputError

router = APIRouter(prefix="/companies/{company_id}/rules", tags=["rules"])


@router.get("", response_model=list[Rule])
def list_rules(firm: Read, given: Given) -> list[dict[str, Any]]:
    """The four switches that every firm has, and the rules that it wrote."""
    with db.reading(given.engine) as connection:
        return rule_store.of_company(connection, firm["id"])


@router.post("", response_model=Rule, status_code=status.HTTP_201_CREATED)
def create_rule(values: RuleIn, firm: Edit, given: Given) -> dict[str, Any]:
    """From now on a mention that fulfils all conditions raises an alert, ten a day at most."""
    with db.writing(given.engine) as connection:
        rule_id = rule_store.add(connection, firm["id"], values.name, values.conditions.model_dump())
        return rule_store.change(connection, firm["id"], rule_id, {})


@router.post("/preview", response_model=Preview)
def preview_rule(values: ConditionsIn, firm: Read, given: Given) -> dict[str, Any]:
    """How many alerts such a rule would have raised in the last ninety days, with examples."""
    today = clock.local_day(clock.now(), firm["timezone"])
    with db.reading(given.engine) as connection:
        return rule_store.preview(connection, firm["id"], values.model_dump(), today)


@router.patch("/{rule_id}", response_model=Rule)
def change_rule(rule_id: str, values: RuleChange, firm: Edit, given: Given) -> dict[str, Any]:
    """Change the fields that are sent; the four switches can be turned on and off."""
    changed = values.model_dump(exclude_unset=True)
    if None in changed.values():
        raise InvalidInputError("name, conditions and enabled cannot be null")
    with db.writing(given.engine) as connection:
        return rule_store.change(connection, firm["id"], rule_id, changed)


@router.delete("/{rule_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_rule(rule_id: str, firm: Edit, given: Given) -> None:
    """Raise no more alerts by it; those that it raised stay."""
    with db.writing(given.engine) as connection:
        rule_store.remove(connection, firm["id"], rule_id)
