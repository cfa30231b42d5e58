//! `~/.pgpass` (PostgreSQL documentation, "The Password File").

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The password of the first matching line, or none: no file, no match, or a file that others may read.
pub(crate) fn password(
    config: &Config,
    path: Option<PathBuf>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let path = path.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".pgpass")))?;
    let metadata = std::fs::metadata(&path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "the password file is ignored, since others may use it: chmod 0600");
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    let host = match config.get_hosts().first()? {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) if is_default(path) => "localhost".to_owned(),
        Host::Unix(path) => path.to_str()?.to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user()?;
    let wanted = [host.as_str(), &port, config.get_dbname().unwrap_or(user), user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| matching(line, &wanted))
}

/// The folders that libpq is built with, Debian's and PostgreSQL's own: sockets in them are called `localhost`.
fn is_default(socket: &Path) -> bool {
    [Path::new("/var/run/postgresql"), Path::new("/tmp")].contains(&socket)
}

fn matching(line: &str, wanted: &[&str; 4]) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut()?.extend(chars.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    let (password, pattern) = fields.split_last()?;
    let fits = pattern.len() == 4
        && pattern.iter().zip(wanted).all(|(pattern, wanted)| pattern == "*" || pattern == wanted);
    fits.then(|| password.clone())
}

#[cfg(test)]
mod tests {
    use super::matching;

    #[test]
    fn fields_are_compared_and_unescaped() {
        let wanted = ["db", "5432", "shop", "bob"];
        assert_eq!(matching("db:5432:*:bob:a\\:b\\\\c", &wanted).as_deref(), Some("a:b\\c"));
        assert_eq!(matching("db:5433:*:bob:secret", &wanted), None);
        assert_eq!(matching("nonsense", &wanted), None);
    }
}
