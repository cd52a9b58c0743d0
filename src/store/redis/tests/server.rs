//! A `redis-server` of one's own: on a free port, without the machine's configuration, gone with its owner.
#![allow(dead_code, reason = "each test, bench and example that includes this file uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "whoever asks for a server cannot go on without one")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

static SERVERS: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Server {
    process: Option<Child>,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl Server {
    /// One that keeps nothing when it ends.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that writes every command down, and knows it all when it comes back.
    pub(crate) fn start_lasting() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with further options, as `redis-server` takes them.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::start_as(&[], options)
    }

    /// A sentinel for the group `main`, whose primary is at `port`: it alone decides, after half a second.
    pub(crate) fn start_sentinel(port: u16) -> Self {
        let lines = [
            format!("sentinel monitor main 127.0.0.1 {port} 1"),
            "sentinel down-after-milliseconds main 500".to_owned(),
            "sentinel failover-timeout main 2000".to_owned(),
        ];
        Self::start_as(&lines, &["--sentinel"])
    }

    /// With lines of a file that the server rewrites itself.
    fn start_as(lines: &[String], options: &[&str]) -> Self {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tower-oauth-redis-{}-{number}", id()));
        fs::create_dir_all(&folder).expect("a folder for redis-server can be made");
        let mut options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        if !lines.is_empty() {
            let file = folder.join("sentinel.conf");
            fs::write(&file, lines.join("\n")).expect("its file can be written");
            options.insert(0, file.to_string_lossy().into_owned());
        }
        let mut server = Self { process: None, port: free_port(), folder, options };
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            if server.try_begin() {
                return server;
            }
            server.port = free_port();
        }
        panic!("redis-server ended at once, five times; run it by hand to see why");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it, as a power cut would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again on the same port, with whatever it wrote down.
    pub(crate) fn begin(&mut self) {
        assert!(self.process.is_none() && self.try_begin(), "redis-server starts again on its port");
    }

    /// Starts it again on the same port, without anything.
    pub(crate) fn begin_empty(&mut self) {
        fs::remove_dir_all(&self.folder).expect("its folder can be removed");
        fs::create_dir_all(&self.folder).expect("a folder for redis-server can be made");
        self.begin();
    }

    /// Runs it out of everybody's sight for a while, and lets it write down what it knows then.
    pub(crate) fn elsewhere(&mut self, meanwhile: impl FnOnce(&Self)) {
        let port = std::mem::replace(&mut self.port, free_port());
        self.begin();
        meanwhile(self);
        assert_eq!(self.ask("SAVE"), "+OK");
        self.stop();
        self.port = port;
    }

    /// Leaves connections open and answers nothing, until it may go on.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// One command with words that have no spaces; its answer as it came over the wire.
    pub(crate) fn ask(&self, command: &str) -> String {
        self.try_ask(command).expect("redis-server answers")
    }

    fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(length) = line.strip_prefix('$').and_then(|length| length.trim().parse::<usize>().ok()) {
            let mut text = vec![0; length];
            reader.read_exact(&mut text)?;
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        Ok(line.trim().to_owned())
    }

    fn try_begin(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        // A file comes first, where there is one.
        command.args(&self.options).args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--loglevel", "warning"]).args(["--dir".as_ref(), self.folder.as_os_str()]);
        if !self.options.iter().any(|option| option == "--sentinel") {
            command.args(["--save", ""]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("redis-server cannot be started ({error}); install it (Debian: apt-get install redis-server)")
        });
        let process = self.process.insert(process);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if process.try_wait().is_ok_and(|ended| ended.is_some()) {
                self.process = None;
                return false;
            }
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let mut answer = [0; 5];
                if stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok()
                    && [b"+PONG", b"-NOAU"].contains(&&answer)
                {
                    return true;
                }
            }
            sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not answer on port {}", self.port);
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
