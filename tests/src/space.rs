//! Network namespaces on one bridge, from which a test cuts some off. They have no name and go with the test, however that ends.
//!
//! ```text
//! let Some(spaces) = Spaces::make(3) else { return };
//! let node = daemon().inside(&spaces.all[0]).run().await;
//! spaces.cut(0);
//! spaces.join(0);
//! ```

use std::fs::File;
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use tokio::net::{TcpSocket, TcpStream};

const BRIDGE: &str = "bridge";

/// One namespace. It has the loopback, and an address at the bridge.
#[derive(Debug)]
pub struct Space {
    file: File,
    address: Ipv4Addr,
}

/// Some of them.
pub struct Spaces {
    bridge: Space,
    pub all: Vec<Arc<Space>>,
}

/// This thread is inside until it is dropped: what it connects and starts is there. It must not wait meanwhile.
pub struct Inside {
    before: File,
    _of_thread: PhantomData<*const ()>,
}

fn own() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

impl Space {
    fn make(address: Ipv4Addr) -> Result<Space, Errno> {
        let made = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(own().unwrap())
        };
        let file = std::thread::spawn(made).join().unwrap()?;
        let space = Space { file, address };
        space.ip("link set lo up");
        Ok(space)
    }

    /// Where others of the bridge reach it.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub fn enter(&self) -> Inside {
        let before = own().unwrap();
        setns(&self.file, CloneFlags::CLONE_NEWNET).unwrap();
        Inside { before, _of_thread: PhantomData }
    }

    /// A connection from inside.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        // A socket stays in the namespace that it was made in.
        let socket = {
            let _inside = self.enter();
            TcpSocket::new_v4()?
        };
        socket.connect(address).await
    }

    /// What `ip` does inside.
    fn ip(&self, words: &str) {
        let _inside = self.enter();
        // Where Debian has it, which is not in everyone's `PATH`.
        let tool =
            ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].into_iter().find(|tool| File::open(tool).is_ok());
        let tool = tool.unwrap_or_else(|| panic!("ip is not installed: run make test-tools"));
        let output = Command::new(tool).args(words.split(' ')).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        setns(&self.before, CloneFlags::CLONE_NEWNET).unwrap();
    }
}

impl Spaces {
    /// So many. None where this user may make none: that is said aloud, since the test that needs them then shows nothing.
    pub fn make(count: u8) -> Option<Spaces> {
        let bridge = match Space::make(Ipv4Addr::new(10, 84, 25, 254)) {
            Ok(bridge) => bridge,
            Err(error) => {
                // Not through the test's captured output.
                let said = format!(
                    "\nSKIPPED: a network cut in two: this user may make no network namespace ({error}); run it as root\n"
                );
                io::stderr().write_all(said.as_bytes()).unwrap();
                return None;
            }
        };
        bridge.ip(&format!("link add {BRIDGE} type bridge"));
        bridge.ip(&format!("link set {BRIDGE} up"));
        let mut spaces = Spaces { bridge, all: Vec::new() };
        (0..count).for_each(|at| spaces.add(at));
        Some(spaces)
    }

    fn add(&mut self, at: u8) {
        let address = Ipv4Addr::new(10, 84, 25, at + 1);
        let space = Space::make(address).unwrap();
        let there = format!("/proc/{}/fd/{}", std::process::id(), space.file.as_raw_fd());
        self.bridge.ip(&format!("link add to{at} type veth peer name out netns {there}"));
        self.bridge.ip(&format!("link set to{at} master {BRIDGE} up"));
        space.ip(&format!("addr add {address}/24 dev out"));
        space.ip("link set out up");
        self.all.push(Arc::new(space));
    }

    /// Nothing goes to it or comes from it any more.
    pub fn cut(&self, at: usize) {
        self.bridge.ip(&format!("link set to{at} down"));
    }

    /// It is one of all again.
    pub fn join(&self, at: usize) {
        self.bridge.ip(&format!("link set to{at} up"));
    }
}
