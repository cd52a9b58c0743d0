//! Answers that replicas share.

use std::collections::HashMap;

use super::*;
use crate::secret::Secret;
use crate::store::{AnswerStore, StoredAnswer};

/// A store that remembers, refuses or hangs.
#[derive(Debug, Default)]
struct Shelf {
    kept: Mutex<HashMap<[u8; 32], (StoredAnswer, Timestamp)>>,
    broken: Mutex<Option<&'static str>>,
    /// How long an answer of the store takes.
    delay: Mutex<Duration>,
    looked: AtomicI64,
    put: Mutex<Vec<[u8; 32]>>,
}

impl Shelf {
    fn breaks(&self, how: Option<&'static str>) {
        *self.broken.lock().unwrap() = how;
    }

    fn answer<T: Send + 'static>(&self, answer: T) -> Answer<Result<T, StoreError>> {
        match *self.broken.lock().unwrap() {
            Some("silent") => Answer::Later(Box::pin(pending())),
            Some(why) => Answer::Later(Box::pin(async move { Err(StoreError::new(why)) })),
            None => {
                let delay = *self.delay.lock().unwrap();
                Answer::Later(Box::pin(async move {
                    sleep(delay).await;
                    Ok(answer)
                }))
            }
        }
    }

    /// What was sent before arrives after what was sent later.
    fn arrives_late(&self) {
        let body = Secret::new(br#"{"active":true}"#.to_vec());
        let mut kept = self.kept.lock().unwrap();
        for key in self.put.lock().unwrap().iter() {
            let answer = StoredAnswer { body: body.clone(), asked_at: T };
            kept.insert(*key, (answer, T.plus(Duration::from_secs(30))));
        }
    }

    fn kept(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

impl AnswerStore for Shelf {
    fn get(&self, key: [u8; 32], now: Timestamp) -> Answer<Result<Option<StoredAnswer>, StoreError>> {
        self.looked.fetch_add(1, Ordering::Relaxed);
        let kept = self.kept.lock().unwrap().get(&key).filter(|(_, until)| now < *until).cloned();
        self.answer(kept.map(|(answer, _)| answer))
    }

    fn put(
        &self,
        key: [u8; 32],
        answer: StoredAnswer,
        keep_until: Timestamp,
        _: Timestamp,
    ) -> Answer<Result<(), StoreError>> {
        self.put.lock().unwrap().push(key);
        self.kept.lock().unwrap().insert(key, (answer, keep_until));
        self.answer(())
    }

    fn forget(&self, key: [u8; 32]) -> Answer<Result<(), StoreError>> {
        self.kept.lock().unwrap().remove(&key);
        self.answer(())
    }
}

fn replica(server: &Server, shelf: &Arc<Shelf>) -> Asker {
    let answers: Arc<dyn AnswerStore> = shelf.clone();
    server.asker_with(|it| it.answers = Some(answers))
}

#[tokio::test(start_paused = true)]
async fn one_replica_asks_for_all_and_its_answer_ages_for_all() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    let (one, another) = (replica(&server, &shelf), replica(&server, &shelf));
    assert_eq!(one.ask(TOKEN).await, Ends::Active);
    another.wall.pass(20);
    assert_eq!(another.ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 1);
    let reply = another.introspector.ask(TOKEN, Need::Cached, another.wall.now()).wait().await.unwrap();
    assert_eq!(reply.asked_at, T, "as old as it is");
    another.wall.pass(10);
    assert_eq!(another.ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 2);
    server.says(Says::Inactive);
    assert_eq!(one.ask("another").await, Ends::Inactive);
    assert_eq!(replica(&server, &shelf).ask("another").await, Ends::Inactive);
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_that_is_too_old_for_the_need_is_not_used() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    assert_eq!(replica(&server, &shelf).ask(TOKEN).await, Ends::Active);
    let asker = replica(&server, &shelf);
    asker.wall.pass(5);
    assert_eq!(asker.ask_for(TOKEN, Need::NotBefore(T.plus(Duration::from_secs(1)))).await, Ends::Active);
    assert_eq!(server.count(), 2);
    let looked = shelf.looked.load(Ordering::Relaxed);
    assert_eq!(asker.ask_for(TOKEN, Need::Anew).await, Ends::Active);
    assert_eq!((server.count(), shelf.looked.load(Ordering::Relaxed)), (3, looked));
    let early = replica(&server, &shelf);
    early.wall.pass(-3600);
    assert_eq!(early.ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 4, "asked for in the future");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_hangs_or_lies_costs_a_question() {
    for how in ["down", "silent"] {
        let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
        shelf.breaks(Some(how));
        let asker = replica(&server, &shelf);
        assert_eq!(asker.ask(TOKEN).await, Ends::Active);
        assert_eq!(asker.ask(TOKEN).await, Ends::Active);
        assert_eq!(server.count(), 1);
        pass(1000).await;
        assert_eq!(asker.introspector.0.flights().len(), 0);
    }
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    assert_eq!(replica(&server, &shelf).ask(TOKEN).await, Ends::Active);
    for (answer, _) in shelf.kept.lock().unwrap().values_mut() {
        answer.body = Secret::new(b"{\"active\":tru".to_vec());
    }
    assert_eq!(replica(&server, &shelf).ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_serves_while_the_issuer_is_not_asked() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    assert_eq!(replica(&server, &shelf).ask(TOKEN).await, Ends::Active);
    server.says(Says::Status(500, ""));
    let asker = replica(&server, &shelf);
    for n in 0..6 {
        asker.ask(&format!("t{n}")).await;
    }
    assert_eq!(asker.ask("t").await, Ends::NotJudged("breaker_open"));
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_forgotten_in_the_store_too() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    let asker = replica(&server, &shelf);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    assert_eq!(shelf.kept(), 1);
    asker.introspector.forget(TOKEN).wait().await.unwrap();
    assert_eq!(shelf.kept(), 0);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    asker.introspector.forget_all(T);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    assert_eq!(server.count(), 3, "shared answers of before are not used");
    shelf.breaks(Some("down"));
    assert!(asker.introspector.forget(TOKEN).wait().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_while_the_store_is_asked_gets_nothing_older_than_they_need() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    assert_eq!(replica(&server, &shelf).ask(TOKEN).await, Ends::Active);
    *shelf.delay.lock().unwrap() = Duration::from_millis(100);
    for need in [Need::Anew, Need::NotBefore(T.plus(Duration::from_secs(1)))] {
        let before = server.count();
        let asker = replica(&server, &shelf);
        asker.wall.pass(5);
        let (cached, strict) = (asker.ask_behind(TOKEN, Need::Cached), asker.ask_behind(TOKEN, need));
        assert_eq!((cached.await.unwrap(), strict.await.unwrap()), (Ends::Active, Ends::Active));
        assert_eq!(server.count(), before + 1, "one question for both, but the issuer's own answer");
        shelf.kept.lock().unwrap().values_mut().for_each(|(answer, _)| answer.asked_at = T);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_forgotten_on_its_way_to_the_store_is_taken_back() {
    let (server, shelf) = (Server::new(Says::Active), Arc::new(Shelf::default()));
    *shelf.delay.lock().unwrap() = Duration::from_millis(100);
    let asker = replica(&server, &shelf);
    assert_eq!(asker.ask(TOKEN).await, Ends::Active);
    pass(50).await;
    let forgetting = asker.introspector.forget(TOKEN);
    asker.introspector.forget_all(T);
    shelf.arrives_late();
    forgetting.wait().await.unwrap();
    pass(1000).await;
    assert_eq!(shelf.kept(), 0);
}

/// Answers are told apart by issuer, client and what is demanded of them; the key holds no token.
#[test]
fn answers_for_others_are_under_other_keys() {
    let server = Server::new(Says::Active);
    let key = |change: &dyn Fn(&mut IntrospectorSettings)| server.asker_with(change).introspector.0.key(TOKEN);
    let signatures =
        |audience: &str| Signatures { keys: Arc::new(super::signing::Keys::new()), audiences: vec![audience.into()] };
    let keys = [
        key(&|_| ()),
        key(&|it| it.issuer = "https://other.example".into()),
        key(&|it| it.endpoint = None),
        key(&|it| it.client = ClientAuth::secret_basic("you", SECRET)),
        key(&|it| it.signatures = Some(signatures("me"))),
        key(&|it| it.signatures = Some(signatures("you"))),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(one), "{at}");
    }
    assert_eq!(keys[0], key(&|it| it.client = ClientAuth::secret_basic("me", "rotated")));
    assert!(!keys[0].windows(4).any(|part| TOKEN.as_bytes().windows(4).any(|token| token == part)));
}
