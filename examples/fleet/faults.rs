//! Each fault, and what must not pass while it lasts.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_oauth::time::{Clock as _, SystemClock};

use super::client::{Answer, Wire, bearer};
use super::replica::Replica;
use super::tally::Row;
use super::{CLOCKS, Fleet};

/// Clients at once.
const WORKERS: usize = 32;

/// How long a revocation may take to reach a replica that is connected.
const HEARD: Duration = Duration::from_secs(3);

impl Fleet {
    fn wires(&self) -> [Wire; 3] {
        self.replicas.each_ref().map(|replica| Wire::to(replica.address))
    }

    /// Of two replicas that get the same proof at the same moment exactly one lets it pass.
    pub(crate) async fn same_proof_at_two_replicas(&mut self, proofs: usize) -> Row {
        let begun = Instant::now();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (callers, [mut a, mut b, mut c]) = (Arc::clone(&self.callers), self.wires());
                tokio::spawn(async move {
                    let (mut row, mut spent) = (Row::default(), Vec::new());
                    for number in (worker..proofs).step_by(WORKERS) {
                        let request = callers[number % callers.len()].request();
                        let (one, other) = match number % 3 {
                            0 => tokio::join!(a.send(&request), b.send(&request)),
                            1 => tokio::join!(b.send(&request), c.send(&request)),
                            _ => tokio::join!(c.send(&request), a.send(&request)),
                        };
                        let passed = u64::from(row.count(one)) + u64::from(row.count(other));
                        row.wrong(passed.saturating_sub(1));
                        row.require(passed > 0, "a fresh proof passed at neither replica");
                        // The last thousand are tried again later.
                        if proofs - number <= 1000 {
                            spent.push(request);
                        }
                    }
                    (row, spent)
                })
            })
            .collect();
        let mut row = Row::new(&format!("{proofs} proofs, at two replicas at once"));
        for worker in workers {
            let Ok((part, spent)) = worker.await else { continue };
            row.join(&part);
            self.spent.extend(spent);
        }
        row.note(format!("{:.0} requests a second", 2.0 * proofs as f64 / begun.elapsed().as_secs_f64()));
        row
    }

    /// Every proof that was spent, at every replica.
    pub(crate) async fn spent_proofs(&self, name: &str) -> Row {
        let mut row = Row::new(name);
        row.join(&self.replayed(self.spent.iter().rev().take(2000)).await);
        row
    }

    pub(crate) async fn some_spent_proofs(&self) -> Row {
        self.replayed(self.spent.iter().rev().step_by(7).take(50)).await
    }

    async fn replayed(&self, requests: impl Iterator<Item = &Arc<[u8]>>) -> Row {
        let (mut row, [mut a, mut b, mut c]) = (Row::default(), self.wires());
        for request in requests {
            let (one, two, three) = tokio::join!(a.send(request), b.send(request), c.send(request));
            [one, two, three].into_iter().for_each(|answer| row.count_forbidden(answer));
        }
        row
    }

    /// One fresh proof for each replica, which may pass; whether all did.
    pub(crate) async fn fresh_proofs(&mut self) -> (Row, bool) {
        let (mut row, mut passed) = (Row::default(), true);
        for (number, mut wire) in self.wires().into_iter().enumerate() {
            let request = self.callers[number].request();
            passed &= row.count(wire.send(&request).await);
            self.spent.push(request);
        }
        (row, passed)
    }

    /// From the call that revokes to the first refusal, at each of the other replicas.
    pub(crate) async fn revocations(&mut self, users: usize) -> Row {
        let mut row = Row::new(&format!("{users} users revoked"));
        let admin = self.issuer.token().subject("admin").scope("admin").sign();
        let (mut wires, mut heard) = (self.wires(), Vec::new());
        for number in 0..users {
            let user = format!("revoked-{number}");
            let request = bearer("GET", "/me", &self.issuer.token().subject(user.as_str()).sign());
            for wire in &mut wires {
                let passed = row.count(wire.send(&request).await);
                row.require(passed, "a token that nobody revoked was refused");
            }
            let begun = Instant::now();
            let others = [1, 2].map(|step| self.replicas[(number + step) % 3].address);
            let listening = others.map(|address| tokio::spawn(first_refusal(address, Arc::clone(&request), begun)));
            let revoke = bearer("POST", &format!("/revoke/{user}"), &admin);
            let answer = wires[number % 3].send(&revoke).await;
            row.require(matches!(answer, Answer::Status { status: 204, .. }), "a revocation failed");
            // There it holds once it was answered.
            row.count_forbidden(wires[number % 3].send(&request).await);
            for listener in listening {
                match listener.await {
                    Ok(Some(after)) => heard.push(after),
                    _ => row.wrong(1),
                }
            }
            for wire in &mut wires {
                row.count_forbidden(wire.send(&request).await);
            }
            self.revoked.push((user, request));
        }
        heard.sort();
        let of = |part: usize| heard.get(heard.len() * part / 100).copied().unwrap_or_default();
        row.note(format!("heard by the others after {:.1?} p50, {:.1?} p99", of(50), of(99)));
        row
    }

    /// Revoked users, at every replica.
    pub(crate) async fn revoked_users(&self, name: &str) -> Row {
        let mut row = Row::new(name);
        row.join(&self.replayed(self.revoked.iter().map(|(_, request)| request)).await);
        row
    }

    /// Tokens by a key that no replica has seen yet.
    pub(crate) async fn rotation(&mut self) -> Row {
        let mut row = Row::new("keys rotated");
        let before = self.issuer.jwks_fetches();
        self.issuer.rotate();
        let mut wires = self.wires();
        for number in 0..100 {
            let token = self.issuer.token().subject(format!("user-{number}")).sign();
            for wire in &mut wires {
                let passed = row.count(wire.send(&bearer("GET", "/me", &token)).await);
                row.require(passed, "a token by the new key was refused");
            }
        }
        row.join(&self.some_spent_proofs().await);
        row.note(format!("{} key sets fetched by 3 replicas", self.issuer.jwks_fetches() - before));
        row
    }

    /// Proofs from the oldest to the youngest that any replica takes, spent and then tried until none takes them.
    pub(crate) async fn proofs_of_every_age(&mut self) -> Row {
        let mut row = Row::new("proofs 57 s old to 7 s ahead");
        let (now, mut wires, mut spent) = (SystemClock.now(), self.wires(), Vec::new());
        for number in 0..192_u64 {
            let age = Duration::from_millis(number % 64 * 1000);
            let request = self.callers[number as usize % 20].request_of(now.plus(Duration::from_secs(7)).minus(age));
            row.count(wires[number as usize % 3].send(&request).await);
            spent.push(request);
        }
        let begun = Instant::now();
        // The oldest can pass nowhere from 6 s on: 60 s by the slowest clock.
        while begun.elapsed() < Duration::from_secs(12) {
            row.join(&self.replayed(spent.iter()).await);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.spent.extend(spent);
        row
    }

    /// Without Redis no proof passes, and rules go on.
    pub(crate) async fn redis_stopped(&mut self) -> Row {
        self.redis.stop();
        let (mut row, begun) = (Row::new("Redis stopped"), Instant::now());
        let mut wires = self.wires();
        while begun.elapsed() < Duration::from_secs(4) {
            for number in 0..30 {
                let request = self.callers[number % 20].request();
                row.count_forbidden(wires[number % 3].send(&request).await);
            }
            row.join(&self.some_spent_proofs().await);
            row.join(&self.replayed(self.revoked.iter().step_by(20).map(|(_, request)| request)).await);
        }
        row.note("no proof is judged, revoked users stay refused".to_owned());
        row
    }

    pub(crate) async fn redis_back_with_its_data(&mut self) -> Row {
        self.redis.begin();
        let (mut row, seconds) = self.until_proofs_pass("Redis back with its data").await;
        row.join(&self.revoked_users("").await);
        row.note(format!("proofs are judged after {seconds:.1} s, no rule was lost"));
        row
    }

    /// Every rule is gone: nobody passes anywhere until they are there again.
    pub(crate) async fn redis_emptied(&mut self) -> Row {
        let mut row = Row::new("Redis back without its data");
        self.redis.stop();
        self.redis.begin_empty();
        let noticed = Instant::now();
        for replica in 0..3 {
            while self.replicas[replica].is_ready().await && noticed.elapsed() < Duration::from_secs(20) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            row.require(!self.replicas[replica].is_ready().await, "a replica takes an emptied list for whole");
        }
        // Long enough for a replica that only waits to be connected again to show itself.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut wires = self.wires();
        for number in 0..300 {
            let request = self.callers[number % 20].request();
            row.count_forbidden(wires[number % 3].send(&request).await);
        }
        row.join(&self.revoked_users("").await);
        let admin = self.issuer.token().subject("admin").scope("admin").sign();
        for (user, _) in &self.revoked {
            let revoke = bearer("POST", &format!("/revoke/{user}"), &admin);
            let answer = wires[0].send(&revoke).await;
            row.require(matches!(answer, Answer::Status { status: 204, .. }), "a rule could not be seeded anew");
        }
        let answer = wires[0].send(&bearer("POST", "/reseeded", &admin)).await;
        row.require(matches!(answer, Answer::Status { status: 204, .. }), "Redis could not be told");
        let seconds = noticed.elapsed().as_secs_f64();
        let (proofs, judged) = self.until_proofs_pass("").await;
        row.join(&proofs);
        row.join(&self.revoked_users("").await);
        row.note(format!("seeded anew after {seconds:.1} s, proofs are judged {judged:.1} s later"));
        row
    }

    /// One replica dies in the middle of its requests, and another takes its place.
    pub(crate) async fn replica_killed(&mut self) -> Result<Row, Box<dyn Error>> {
        let mut row = Row::new("a replica killed and replaced");
        let (callers, [mut a, mut b, mut c]) = (Arc::clone(&self.callers), self.wires());
        let traffic = tokio::spawn(async move {
            let (mut row, mut sent) = (Row::default(), Vec::new());
            for number in 0..1000 {
                let request = callers[number % 20].request();
                // To the one that dies first, then to another: whatever became of it there, it passes once at most.
                let first = row.count(c.send(&request).await);
                let wire = if number % 2 == 0 { &mut a } else { &mut b };
                let second = row.count(wire.send(&request).await);
                row.wrong(u64::from(first && second));
                sent.push(request);
            }
            (row, sent)
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.replicas[2].kill();
        let (part, sent) = traffic.await?;
        row.join(&part);
        self.replicas[2] = Replica::start(&self.redis.url(), self.issuer.issuer_url(), CLOCKS[2])?;
        self.replicas[2].becomes_ready().await?;
        row.join(&self.replayed(sent.iter()).await);
        row.join(&self.revoked_users("").await);
        self.spent.extend(sent);
        row.note("its successor knows every proof and every rule".to_owned());
        Ok(row)
    }
}

/// Asks a replica over and over; how long after `begun` it refused for the first time.
async fn first_refusal(address: std::net::SocketAddr, request: Arc<[u8]>, begun: Instant) -> Option<Duration> {
    let mut wire = Wire::to(address);
    while begun.elapsed() < HEARD {
        if !matches!(wire.send(&request).await, Answer::Status { status: 200, .. }) {
            return Some(begun.elapsed());
        }
    }
    None
}
