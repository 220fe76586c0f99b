"""An operator at a browser: finds what does not move, reads why, looks before acting, acts, and sees what comes of it.

With SCREENSHOTS=folder what is seen is kept as pictures (`make screenshots`).
"""

import re

from playwright.sync_api import expect

from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.participant.breaker_redis import BreakerKeys, connect
from orchestration.participant.breaker_registry import in_use
from tests.integration.admin.conftest import SAGAS
from tests.support.browser import log_in, shoot

UNLABELLED = """() => [...document.querySelectorAll('#content :is(input, select, textarea), button')]
    .filter(each => each.type !== 'hidden' && each.checkVisibility())
    .filter(each => !each.labels?.length && !each.ariaLabel && !each.innerText?.trim() && !each.title)
    .map(each => each.outerHTML)"""


def test_an_operator_finds_what_is_stuck_and_has_it_go_on(page, live_server, parked, at_work):
    log_in(page, live_server)
    stuck = page.get_by_role("region", name="Stuck").get_by_role("link", name=str(parked))
    expect(stuck).to_be_visible()
    expect(page.get_by_role("region", name="Where the time goes")).to_contain_text("reserve_stock")
    expect(page.get_by_role("region", name="Workers")).to_contain_text("payments")
    shoot(page, "dashboard")
    page.get_by_role("link", name="Sagas").click()
    expect(page.get_by_role("row")).to_have_count(10)
    shoot(page, "saga-list")
    page.go_back()
    stuck.click()
    why = page.get_by_role("region", name="Why")
    expect(why).to_contain_text("capture_payment")
    expect(why).to_contain_text("Operator action required.")
    shoot(page, "saga-parked")

    page.get_by_role("link", name="Resume").click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("capture_payment is executed")
    expect(preview).to_contain_text("1.00 GBP is taken from what is on hold")
    page.get_by_role("button", name="Do it: resume").click()
    assert not OperatorLogEntry.objects.exists()  # without a reason the form is not even sent
    page.get_by_label("Reason").fill("the gateway is back")
    page.get_by_role("button", name="Do it: resume").click()

    expect(page.get_by_role("status")).to_contain_text("Observed: completed")
    shoot(page, "observed")
    assert SagaInstance.objects.get(pk=parked).phase == "completed"
    entry = OperatorLogEntry.objects.get()
    assert (entry.by, entry.code, entry.observed) == ("ada", "taken", "completed")


def test_two_people_have_many_sagas_compensated(page, live_server, unrefunded, shared_worker):
    log_in(page, live_server)
    page.get_by_role("region", name="Incidents").get_by_role("link", name="Incidents").click()
    page.get_by_role("row", name="authorise_payment GatewayTimeout").get_by_role("link", name="compensate").click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("3 possible")
    expect(preview).to_contain_text("3.00 GBP on hold")
    shoot(page, "bulk-preview")
    page.get_by_label("Reason").fill("the gateway is back")
    page.get_by_role("button", name="Ask for approval: compensate 3 sagas").click()
    expect(page.get_by_role("status")).to_contain_text("asked")
    assert page.get_by_role("button", name="Approve").count() == 0
    batch = page.url

    page.context.clear_cookies()
    log_in(page, live_server, "bob")
    page.goto(batch)
    page.get_by_role("button", name="Approve: compensate 3 sagas").click()
    expect(page.get_by_role("status")).to_contain_text("finished 3 of 3 done")
    phases = SagaInstance.objects.filter(pk__in=unrefunded).values_list("phase", flat=True)
    assert set(phases) == {"compensated"}
    page.goto(f"{live_server.url}{SAGAS}{unrefunded[0]}/change/")
    expect(page.get_by_role("region", name="Why")).to_contain_text("Compensated")
    shoot(page, "saga-compensated")


def test_a_tile_whose_source_is_down_says_so_beside_the_others(page, live_server, parked, monkeypatch):
    for breaker in in_use().values():
        monkeypatch.setattr(
            breaker._record, "keys", BreakerKeys(breaker.name, lambda: connect("redis://127.0.0.1:1/0"))
        )
    log_in(page, live_server)
    expect(page.get_by_role("region", name="Breakers")).to_contain_text("Redis does not answer")
    expect(page.get_by_role("region", name="Stuck")).to_contain_text(str(parked))
    expect(page.get_by_role("region", name="Queues")).to_contain_text("orchestrator")


def test_tiles_are_not_asked_for_while_nobody_looks(page, live_server, workforce):
    page.clock.install()
    page.add_init_script("Object.defineProperty(document, 'visibilityState', {get: () => window.looking || 'visible'})")
    log_in(page, live_server)
    expect(page.get_by_role("region", name="Stuck")).to_contain_text("No saga is stuck")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/tiles/" in request.url else None)
    page.evaluate("window.looking = 'hidden'")
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate("window.looking = 'visible'")
    with page.expect_request("**/tiles/stuck/"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    with page.expect_request("**/tiles/stuck/"):
        page.clock.run_for(10_000)
    page.context.clear_cookies()
    page.clock.run_for(10_000)
    expect(page).to_have_url(re.compile("/admin/login/"))  # the page's own address: no tile shows a login


def test_everything_can_be_named_and_reached_by_keyboard(page, live_server, parked):
    log_in(page, live_server)
    for path in ("/admin/", SAGAS, f"{SAGAS}{parked}/change/", "/admin/operations/breakers/",
                 f"/admin/operations/sagas/{parked}/settle/?step=capture_payment"):  # fmt: skip
        page.goto(live_server.url + path)
        assert page.evaluate(UNLABELLED) == [], path
    page.goto(f"{live_server.url}{SAGAS}{parked}/change/")
    page.get_by_role("link", name="Resume").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Pause")).to_be_focused()
    page.keyboard.press("Enter")
    reason = page.get_by_label("Reason")
    expect(reason).to_be_visible()
    page.wait_for_load_state()
    reason.focus()
    page.keyboard.type("we look into it")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Observed: paused")
