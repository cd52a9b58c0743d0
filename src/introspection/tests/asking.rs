//! How often the issuer is asked, and with what.

use super::*;

/// Concurrent misses share one call.
#[tokio::test(start_paused = true)]
async fn fifty_requests_with_one_token_cause_one_question() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    let asking: Vec<_> = (0..50).map(|_| asker.ask_behind(TOKEN, Need::Cached)).collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Ends::Active);
    }
    assert_eq!(server.count(), 1);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 1);
    assert_eq!(asker.introspector.0.flights().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_on_when_whoever_began_it_leaves() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    let first = asker.ask_behind(TOKEN, Need::Cached);
    pass(50).await;
    let second = asker.ask_behind(TOKEN, Need::Cached);
    first.abort();
    assert_eq!(second.await.unwrap(), Ends::Active);
    drop(asker.introspector.ask("another", Need::Cached, T));
    pass(1000).await;
    assert!(matches!(asker.introspector.ask("another", Need::Cached, T), Answer::Now(Ok(_))));
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_introspector_that_is_dropped_ends_its_questions() {
    let server = Server::new(Says::Silence);
    let asker = server.asker();
    let answer = asker.introspector.ask(TOKEN, Need::Cached, T);
    pass(50).await;
    let core = Arc::downgrade(&asker.introspector.0);
    drop(asker);
    assert_eq!(ends(answer.wait().await), Ends::NotJudged("stopped"));
    assert!(core.upgrade().is_none());
}

/// Turned off, there is one call for each request.
#[tokio::test(start_paused = true)]
async fn without_a_lifetime_each_request_asks() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.lifetimes.active = ActiveLifetime::For(Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    }
    assert_eq!(server.count(), 3);
    let early = asker.ask_behind(TOKEN, Need::Cached);
    pass(50).await;
    let late = asker.ask_behind(TOKEN, Need::Cached);
    assert_eq!((early.await.unwrap(), late.await.unwrap()), (Ends::Active, Ends::Active));
    assert_eq!(server.count(), 5);
}

/// POST, form-encoded, the token nowhere else.
/// The client proves itself by id and secret, each form-encoded.
#[tokio::test(start_paused = true)]
async fn the_question_is_a_form_with_the_token_and_the_clients_proof() {
    let server = Server::new(Says::Active);
    let asker = server.asker_with(|it| it.client = ClientAuth::secret_basic("a:b", "p%+é"));
    assert_eq!(asker.ask("a+b/c==~").await, Ends::Active);
    server.read(|script| {
        let asked = &script.asked[0];
        assert_eq!((asked.url.as_str(), asked.parameter("token")), (ENDPOINT, Some("a+b/c==~")));
        assert_eq!(asked.headers["accept"], "application/json");
        assert_eq!(asked.headers["authorization"], "Basic YSUzQWI6cCUyNSUyQiVDMyVBOQ==");
        assert!(asked.headers["authorization"].is_sensitive());
    });
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_until_its_exp_and_asked_for_again_then() {
    let server = Server::new(Says::ActiveUntil(T.as_secs() + 10));
    let asker = server.asker_with(|it| it.lifetimes.active = ActiveLifetime::For(Duration::from_secs(300)));
    for (secs, calls) in [(0, 1), (9, 1), (1, 2), (0, 3)] {
        asker.wall.pass(secs);
        assert_eq!(asker.ask(TOKEN).await, Ends::Active);
        assert_eq!(server.count(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_need_is_met_by_a_question_that_is_new_enough() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    let early = asker.ask_behind(TOKEN, Need::Anew);
    let with_it = asker.ask_behind(TOKEN, Need::Anew);
    pass(50).await;
    assert_eq!(server.count(), 1, "one that is not sent yet is joined by all");
    asker.wall.pass(1);
    let cached = asker.ask_behind(TOKEN, Need::Cached);
    let within = asker.ask_behind(TOKEN, Need::NotBefore(T));
    pass(1).await;
    assert_eq!(server.count(), 1);
    let younger = asker.ask_behind(TOKEN, Need::NotBefore(T.plus(Duration::from_secs(1))));
    pass(1).await;
    assert_eq!(server.count(), 2);
    let anew = asker.ask_behind(TOKEN, Need::Anew);
    for asked in [early, with_it, cached, within, younger, anew] {
        assert_eq!(asked.await.unwrap(), Ends::Active);
    }
    assert_eq!(server.count(), 3);
    assert_eq!(asker.ask_for(TOKEN, Need::NotBefore(T.plus(Duration::from_secs(1)))).await, Ends::Active);
    assert_eq!(server.count(), 3);
    assert_eq!(asker.ask_for(TOKEN, Need::Anew).await, Ends::Active);
    assert_eq!(server.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_the_newest_question_is_the_one_that_is_kept() {
    let server = Server::new(Says::Inactive);
    server.set(|script| script.first = vec![Says::Active]);
    let asker = server.asker();
    let before = asker.ask_behind(TOKEN, Need::Cached);
    pass(50).await;
    asker.wall.pass(1);
    server.set(|script| script.delay = Duration::from_millis(10));
    assert_eq!(asker.ask_for(TOKEN, Need::Anew).await, Ends::Inactive);
    assert_eq!(before.await.unwrap(), Ends::Active);
    assert_eq!(asker.ask(TOKEN).await, Ends::Inactive);
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_asked_again_and_a_question_under_way_is_not_kept() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    asker.introspector.forget(TOKEN).wait().await.unwrap();
    let early = asker.ask_behind(TOKEN, Need::Cached);
    pass(50).await;
    asker.introspector.forget(TOKEN).wait().await.unwrap();
    assert_eq!(early.await.unwrap(), Ends::Active);
    server.says(Says::Inactive);
    assert_eq!(asker.ask(TOKEN).await, Ends::Inactive);
    assert_eq!(server.count(), 3);
    asker.introspector.forget_all(T);
    assert_eq!(asker.ask(TOKEN).await, Ends::Inactive);
    assert_eq!(server.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_last_active_answer_is_there_for_those_who_go_on_without_the_issuer() {
    let server = Server::new(Says::ActiveUntil(T.as_secs() + 100));
    let asker = server.asker();
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    server.says(Says::Status(500, "1"));
    asker.wall.pass(60);
    assert_eq!(asker.ask(TOKEN).await, Ends::NotJudged("status"));
    let last = asker.introspector.last_known(TOKEN, asker.wall.now()).unwrap();
    assert_eq!(last.asked_at, T);
    assert!(asker.introspector.last_known("another", T).is_none());
    asker.wall.pass(40);
    assert!(asker.introspector.last_known(TOKEN, asker.wall.now()).is_none());
}

#[test]
fn without_a_runtime_a_token_is_not_judged() {
    let asker = Server::new(Says::Active).asker();
    let Answer::Now(outcome) = asker.introspector.ask(TOKEN, Need::Cached, T) else { panic!("asked") };
    assert_eq!(ends(outcome), Ends::NotJudged("no_runtime"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_landed_since_the_caller_looked_is_used() {
    let server = Server::new(Says::Active);
    let asker = server.asker();
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    let core = &asker.introspector.0;
    let late = core.fly(core.key(TOKEN), TOKEN, Need::Cached, T);
    assert!(matches!(late, Answer::Now(Ok(_))));
}
