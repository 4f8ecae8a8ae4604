"""proxymap opens its tables after it is confined: wherever their files lie."""

from __future__ import annotations

import pytest

from harness import findings, waybill
from scenarios.where import INSTALLED

pytestmark = [pytest.mark.root, pytest.mark.scenario, pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap")]

if findings.folder() is not None:
    pytest.skip("builds for sanitizers are not confined", allow_module_level=True)


@pytest.mark.parametrize("where", [
    pytest.param("mkdir table", id="beside a folder of its name"),
    pytest.param("mkdir /home/maps; mv table.db /home/maps/; ln -s /home/maps/table.db table.db", id="a link"),
    pytest.param("mkdir /home/maps; mv table.db /home/maps/; ln -s /home/maps/table.db /home/maps/link; ln -s /home/maps/link table.db", id="two links"),
])
def test_table(where: str) -> None:
    with waybill.Waybill() as system:
        system.configure([*INSTALLED, "virtual_alias_maps = proxy:hash:/home/tables/table"])
        system.write_configuration()
        system.room.shell("mkdir /home/tables; cd /home/tables; echo 'other@example.com alice' >table; postmap hash:table; rm table; " + where)
        system.start()
        system.send("other@example.com")
        system.log.wait(r"to=<alice@.*orig_to=<other@example.com>.*status=sent")
