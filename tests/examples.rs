//! The examples do what they say: each printed line is run as it stands, and each transcript comes to its end.
//!
//! They are run as they were built, so `cargo test --test examples` alone wants `cargo build --examples` before it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what goes wrong here is a failed test")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tower_oauth::dev::DevServer;

/// Far beyond what any of them needs; no test waits longer.
const LIMIT: Duration = Duration::from_secs(60);

fn example(name: &str) -> Command {
    let this_test = std::env::current_exe().unwrap();
    let built = this_test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let changed_at = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    assert!(changed_at(&built) >= changed_at(&written), "{name} is not built; do so by `cargo build --examples`");
    let mut command = Command::new(built);
    // What is started here does not outlive its test.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// An example that serves until it is told to stop.
struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        self.lines.next_line().await.unwrap().unwrap()
    }

    async fn stop(mut self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success(), "{signal} is no error");
    }
}

/// What a line prints when it is pasted into a shell.
async fn pasted(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Pastes all printed lines into one shell and holds each answer to the status that the line above it promises. Gives back
/// the answers.
async fn kept_promises(name: &str) -> Vec<String> {
    /// No answer has this character.
    const SEPARATOR: char = '\u{1e}';
    let mut server = Server::start(example(name));
    // What stands before the first comment is prose.
    let mut is_prose = true;
    let (mut script, mut promises, mut promised) = (String::new(), Vec::new(), None);
    loop {
        let line = server.line().await;
        if line.starts_with("Ctrl-C ") {
            break;
        }
        if let Some(comment) = line.strip_prefix("# ") {
            is_prose = false;
            promised = comment.split_once(':').map(|(status, _)| status.to_owned()).filter(|status| status.len() == 3);
        } else if !line.is_empty() && !is_prose {
            if let Some(status) = promised.take() {
                promises.push((status, line.clone()));
                script.push_str("printf '\\036'\n");
            }
            script.push_str(&line);
            script.push('\n');
        }
    }
    let printed = pasted(&script).await;
    let answers: Vec<String> = printed.split(SEPARATOR).skip(1).map(str::to_owned).collect();
    assert_eq!(answers.len(), promises.len(), "{script}");
    for ((status, line), answer) in promises.iter().zip(&answers) {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}\n{answer}");
    }
    server.stop("-INT").await;
    answers
}

#[tokio::test]
async fn every_line_of_the_quickstart_answers_as_it_promises() {
    let answers = timeout(LIMIT, kept_promises("quickstart")).await.unwrap();
    let [listed, lacking, expired, without, metadata, fresh, placed, _, bound, weak, paid, flow @ ..] =
        answers.as_slice()
    else {
        panic!("eleven lines and the flow: {answers:#?}");
    };
    assert!(listed.contains(r#"["tea","bread"]"#), "{listed}");
    assert!(lacking.contains(r#"error="insufficient_scope""#) && lacking.contains(r#"scope="orders:write""#));
    assert!(expired.contains(r#"error="invalid_token""#), "{expired}");
    assert!(without.contains("resource_metadata=") && !without.contains("error="), "{without}");
    let scopes = r#""scopes_supported":["orders:read","orders:write","admin","payouts:write"]"#;
    assert!(metadata.contains(scopes), "{metadata}");
    assert!(fresh.contains(r#""scope":"orders:write""#), "{fresh}");
    assert!(placed.contains("an order of shop"), "{placed}");
    assert!(bound.contains(r#"error="invalid_token""#), "{bound}");
    assert!(weak.contains(r#"acr_values="phr""#), "{weak}");
    assert!(paid.contains("Paid out to alice."), "{paid}");

    let [stolen, used, refreshed, reused, refused, revoked, seen, after] = flow else {
        panic!("eight lines of the flow: {flow:#?}");
    };
    assert!(stolen.contains("code_verifier is missing"), "{stolen}");
    assert!(used.contains(r#"["tea","bread"]"#), "{used}");
    assert!(refreshed.contains(r#""refresh_token":"rt_"#), "{refreshed}");
    assert!(
        reused.contains(r#""error":"invalid_grant""#) && reused.contains("family and session are over"),
        "{reused}"
    );
    for refused in [refused, seen] {
        assert!(refused.contains(r#"error="invalid_token""#), "{refused}");
    }
    assert!(revoked.ends_with("{}"), "{revoked}");
    assert!(after.contains(r#""error":"invalid_grant""#), "{after}");
}

#[tokio::test]
async fn every_line_of_hyper_only_answers_as_it_promises() {
    let answers = timeout(LIMIT, kept_promises("hyper_only")).await.unwrap();
    assert_eq!(answers.len(), 11);
}

/// Runs an example to its end and gives back what it printed.
async fn transcript(name: &str) -> String {
    let output = timeout(LIMIT, example(name).output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_lines(transcript: &str, lines: &[&str]) {
    for line in lines {
        assert!(transcript.lines().any(|printed| printed.trim() == *line), "{line} is not in\n{transcript}");
    }
}

#[tokio::test]
async fn the_transcript_of_dpop_shows_each_theft_refused() {
    let printed = transcript("dpop").await;
    assert_eq!(printed.lines().count(), 8, "{printed}");
    for (what, status) in [
        ("first proof, without a nonce", "401  use_dpop_nonce"),
        ("the owner, with the nonce", "200"),
        ("stolen, sent as Bearer", "401  invalid_token"),
        ("a proof, for the first time", "200"),
        ("the same proof, replayed", "401  invalid_dpop_proof"),
        ("a proof for another path", "401  invalid_dpop_proof"),
        ("signed by the thief's own key", "401  invalid_token"),
        ("the owner's key, another's hand", "401  invalid_dpop_proof"),
    ] {
        let line = printed.lines().find(|line| line.starts_with(what)).unwrap_or_default();
        assert!(line[what.len()..].trim_start().starts_with(status), "{what}: {line:?}");
    }
}

#[tokio::test]
async fn the_transcript_of_scopes_comes_to_its_end() {
    let printed = transcript("scopes").await;
    assert_lines(
        &printed,
        &[
            r#"403  GET /statement         needs "orders:read accounts:read""#,
            r#"403  DELETE /archive        needs "orders:write""#,
            r#"403  GET /back-office       needs "admin""#,
        ],
    );
    let of_admin = printed.split("\n\n").last().unwrap();
    assert_eq!(of_admin.matches("  200  ").count(), 5, "{of_admin}");
}

#[tokio::test]
async fn the_transcript_of_custom_claims_comes_to_its_end() {
    let printed = transcript("custom_claims").await;
    assert_lines(
        &printed,
        &[
            "a clerk                GET /me        200  alice of North as [Clerk, Unknown]",
            r#"a tenant that is none  GET /me        401  {"message":"please sign in"}"#,
            "a greeted stranger     GET /greeting  200  Hello, whoever you are",
            "a clerk without axum   GET /          200  the warehouse of Some(North)",
        ],
    );
}

#[tokio::test]
async fn the_transcript_of_many_issuers_comes_to_its_end() {
    let printed = transcript("many_issuers").await;
    // The one that hangs is answered last, though it was asked first.
    let answers: Vec<&str> = printed.lines().filter_map(|line| line.split_once(" ms  ")).map(|(_, it)| it).collect();
    let (hanging, back) = answers.split_at(5);
    assert_eq!(hanging.last(), Some(&"partner   503, try again in 1 s"), "{printed}");
    for answer in ["staff     200", "customer  200", "staging   401", "forged    401"] {
        assert!(hanging.contains(&answer), "{printed}");
    }
    assert!(back.len() == 3 && back.iter().all(|answer| answer.ends_with("200")), "{printed}");
}

#[tokio::test]
async fn the_transcript_of_introspection_counts_the_questions() {
    let printed = transcript("introspection").await;
    for (what, came) in [
        ("a token, seen for the first time", "200, asked 1"),
        ("the same, within 30 s", "200, asked 0"),
        ("once more, where money moves", "200, asked 1"),
        ("a JWT, verified here", "200, asked 0"),
        ("the JWT, where money moves", "200, asked 1"),
        ("fifty requests at once, one new token", "200 × 50, asked 1"),
        ("an invented token", "401, asked 1  token_inactive"),
        ("the same, within 5 s", "401, asked 0  token_inactive"),
        ("an active token for another service", "401, asked 1  audience_mismatch"),
        ("a scope withdrawn in mid-session", "403, asked 1  scope_missing"),
        ("revoked, but the answer is 30 s good", "200, asked 0"),
        ("a token whose answer is still good", "200, asked 0"),
        ("a token never seen", "503, asked 1  introspection_unavailable, try again in 1 s"),
        ("the same, by a layer that takes a minute", "200, asked 1"),
    ] {
        let line = printed.lines().map(str::trim).find(|line| line.starts_with(what)).unwrap_or_default();
        assert_eq!(line[what.len().min(line.len())..].trim_start(), came, "{what}\n{printed}");
    }
    assert_lines(&printed, &["event: introspection could not be asked, stale_within"]);
}

#[tokio::test]
async fn the_transcript_of_revocation_ends_each_story_with_a_refusal() {
    let printed = transcript("revocation").await;
    let stories: Vec<&str> = printed.split("\n\n").collect();
    assert_eq!(stories.len(), 5, "{printed}");
    for (story, passed_meanwhile) in stories.iter().zip([false, false, true, true, false]) {
        let [used, back, refused, after] = ["used       200", "taken back", "refused    401", "ms after"]
            .map(|part| story.lines().position(|line| line.contains(part)));
        assert!(used < back && back < refused && refused < after, "{story}");
        assert_eq!(!story.contains("ms after, 0 requests passed"), passed_meanwhile, "{story}");
    }
    assert_lines(&printed, &["and 200 for another user", "and 200 where nobody asks the issuer"]);
}

#[tokio::test]
async fn the_resource_server_is_configured_by_its_environment_alone() {
    timeout(LIMIT, async {
        let resource = "https://api.example.com";
        let issuer = DevServer::builder().audience(resource).quiet().start().await.unwrap();
        let mut command = example("resource_server");
        command
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("CORS_ORIGINS", "https://app.example.com, https://shop.example.com")
            .env("RUST_LOG", "trace")
            .env("OAUTH_RESOURCE", resource)
            .env("OAUTH_ISSUERS", issuer.issuer_url())
            .env("OAUTH_DANGEROUS_LOOPBACK_HTTP", "true")
            .stderr(Stdio::piped());
        let mut server = Server::start(command);
        let mut stderr = server.child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        let origin = server.line().await.strip_prefix("listening on ").unwrap().to_owned();
        let reader = issuer.token().scope("orders:read").sign();
        let get = async |path: &str, more: &str| pasted(&format!("curl -si '{origin}{path}' {more}")).await;
        let with = async |path: &str, token: &str| get(path, &format!("-H 'Authorization: Bearer {token}'")).await;

        for (path, anonymous, known) in [
            ("/public", 200, 200),
            ("/ready", 200, 200),
            ("/me", 401, 200),
            ("/read", 401, 200),
            ("/write", 401, 403),
            ("/admin", 401, 403),
            ("/forgotten", 401, 404),
            ("/.well-known/oauth-protected-resource", 200, 200),
        ] {
            let (nobody, reader) = (get(path, "").await, with(path, &reader).await);
            assert!(nobody.starts_with(&format!("HTTP/1.1 {anonymous} ")), "{path}: {nobody}");
            assert!(reader.starts_with(&format!("HTTP/1.1 {known} ")), "{path}: {reader}");
        }
        let leaked = format!("/me?access_token={reader}");
        assert!(get(&leaked, "").await.starts_with("HTTP/1.1 401 "), "a token is never taken from the query");

        let asked = "-H 'Origin: https://shop.example.com' -H 'Access-Control-Request-Method: GET'";
        let preflight = get("/read", &format!("-X OPTIONS {asked}")).await.to_lowercase();
        assert!(preflight.contains("access-control-allow-origin: https://shop.example.com"), "{preflight}");
        assert!(preflight.contains("authorization"), "{preflight}");
        let refused = get("/read", "-H 'Origin: https://shop.example.com'").await.to_lowercase();
        assert!(refused.contains("access-control-allow-origin: https://shop.example.com"), "{refused}");
        assert!(refused.contains("access-control-expose-headers: www-authenticate"), "{refused}");
        let path = "/.well-known/oauth-protected-resource";
        let elsewhere = "-H 'Origin: https://elsewhere.example.com' -H 'Access-Control-Request-Method: GET'";
        let anybody = get(path, &format!("-X OPTIONS {elsewhere}")).await.to_lowercase();
        assert!(anybody.contains("access-control-allow-origin: *"), "{anybody}");

        let last = get("/logout", &format!("-X POST -H 'Authorization: Bearer {reader}'")).await;
        assert!(last.starts_with("HTTP/1.1 204 "), "{last}");
        assert!(with("/me", &reader).await.starts_with("HTTP/1.1 401 "), "nothing passes after the logout");

        server.stop("-TERM").await;
        let log = log.await.unwrap();
        assert!(log.contains("refused") && log.contains("scope_missing"), "{log}");
        let signature = reader.rsplit('.').next().unwrap();
        assert!(!log.contains(signature), "{log}");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_resource_server_without_its_environment_says_what_it_lacks() {
    let output = timeout(LIMIT, example("resource_server").env_clear().output()).await.unwrap().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(told.contains("\n  - no resource is set") && told.contains("\n  - no issuer is trusted"), "{told}");
}

#[test]
fn the_table_of_the_resource_server_has_every_variable_that_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (read, shown) = (text("src/server/config/env.rs"), text("examples/resource_server.rs"));
    let rows = read.lines().filter_map(|line| line.trim().strip_prefix("/// | "));
    let names: Vec<&str> = rows.flat_map(|row| row.split('`')).filter(|part| part.starts_with("OAUTH_")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(shown.contains(&format!("//! | `{name}`")) || shown.contains(&format!(", `{name}`")), "{name}");
    }
}
