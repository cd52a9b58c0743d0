//! Rules by path, for services that have no router of their own and for whole applications.
//!
//! Whoever grants by path must expect paths that look other than they are. So a rule that opens a path (`public`,
//! `optional`, `authenticated`) matches it only as it is written, and a rule that closes one (`require`) matches it
//! decoded, and without regard to case or a slash at the end. A path that services behind may read in different ways,
//! with dot segments, empty ones, encoded or backward slashes, opens nothing and needs a token that meets every demand
//! of the rules. Whatever no rule names needs a token.

mod spelling;

use std::fmt;

use http::Method;

use self::spelling::{Spellings, is_ambiguous};
use super::Access;
use crate::demand::{Demand, Requirement};

/// Ordered rules; the first that matches decides, and a path that none matches needs a token.
///
/// A rule that opens a path ([`public`](Self::public), [`optional`](Self::optional),
/// [`authenticated`](Self::authenticated)) matches it only as it is written, byte for byte. One that closes it
/// ([`require`](Self::require)) matches every spelling that a service behind might take for it: decoded, with dot
/// segments resolved, slashes merged, without regard to case.
///
/// Patterns are those of axum: `/orders/{id}` for one segment, `/files/{*rest}` for all that follow. They are compared
/// with the path that the layer sees, which inside `nest` is without the prefix. A pattern may be limited to a method;
/// one for GET covers HEAD as well.
///
/// ```
/// use http::Method;
/// use tower_oauth::{OAuthConfig, OAuthLayer, PathRules};
///
/// tower_oauth::scopes! { Admin = "admin"; }
///
/// # fn main() -> Result<(), tower_oauth::ConfigError> {
/// # let config = OAuthConfig::builder("https://api.example.com").trust("https://login.example.com").build()?;
/// let layer = OAuthLayer::new(config).paths(
///     PathRules::new()
///         .public("/health")
///         .optional((Method::GET, "/catalogue/{*rest}"))
///         .require::<Admin>("/admin/{*rest}")
///         .authenticated("/me"),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PathRules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: PathPattern,
    /// `None` closes: it needs a token that meets the demand.
    opens: Option<Access>,
    demand: Demand,
}

/// A path, perhaps of one method only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    method: Option<Method>,
    segments: Vec<Segment>,
    invalid: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

impl From<&str> for PathPattern {
    fn from(path: &str) -> Self {
        let segments: Vec<_> = path.strip_prefix('/').unwrap_or(path).split('/').map(Segment::parse).collect();
        let rest_inside = segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest);
        Self { method: None, segments, invalid: !path.starts_with('/') || rest_inside }
    }
}

impl From<(Method, &str)> for PathPattern {
    fn from((method, path): (Method, &str)) -> Self {
        Self { method: Some(method), ..path.into() }
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            Some(name) if name.starts_with('*') => Self::Rest,
            Some(_) => Self::One,
            None => Self::Literal(text.to_owned()),
        }
    }
}

impl PathRules {
    /// No rules: every path needs a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody pass; a credential is not looked at, not even a bad one.
    ///
    /// # Panics
    /// When the pattern does not begin with `/` or has `{*rest}` elsewhere than at its end.
    pub fn public(self, pattern: impl Into<PathPattern>) -> Self {
        self.rule_for(pattern.into(), Some(Access::Public), Demand::authenticated())
    }

    /// Lets requests without a credential pass; a credential that is there must be valid.
    ///
    /// # Panics
    /// As [`public`](Self::public).
    pub fn optional(self, pattern: impl Into<PathPattern>) -> Self {
        self.rule_for(pattern.into(), Some(Access::Optional), Demand::authenticated())
    }

    /// Needs a valid token and nothing more: what holds anyway, as an exception before a broader `require`.
    ///
    /// # Panics
    /// As [`public`](Self::public).
    pub fn authenticated(self, pattern: impl Into<PathPattern>) -> Self {
        self.rule_for(pattern.into(), Some(Access::Required), Demand::authenticated())
    }

    /// Needs a token that meets `R`, for every spelling of the path.
    ///
    /// Limited to a method it says nothing of the others: they go on to later rules, and at last need any valid token.
    ///
    /// # Panics
    /// As [`public`](Self::public).
    pub fn require<R: Requirement>(self, pattern: impl Into<PathPattern>) -> Self {
        self.rule_for(pattern.into(), None, R::DEMAND)
    }

    #[expect(
        clippy::panic,
        reason = "a rule that cannot match is a mistake of the service's author, found at its start"
    )]
    fn rule_for(mut self, pattern: PathPattern, opens: Option<Access>, demand: Demand) -> Self {
        if pattern.invalid {
            panic!("a path pattern begins with '/' and has {{*rest}} only at its end: {pattern:?}");
        }
        self.rules.push(Rule { pattern, opens, demand });
        self
    }

    /// What a request to `path` needs. Without a matching rule: a token.
    pub(super) fn rule(&self, method: &Method, path: &str) -> Ruling {
        let spellings = Spellings::of(path);
        for rule in self.rules.iter().filter(|rule| rule.pattern.has_method(method)) {
            match rule.opens {
                Some(access) if rule.pattern.matches_exactly(path) => return Ruling::of(access),
                // A path that can be read in several ways might be another one behind: it is left to the end.
                None if !spellings.ambiguous && rule.pattern.matches_any_spelling(&spellings.segments) => {
                    return Ruling { access: Access::Required, demands: vec![rule.demand] };
                }
                _ => {}
            }
        }
        // Whatever an ambiguous path turns out to be, whoever meets every demand there is may have it.
        let demands = if spellings.ambiguous { self.demands() } else { Vec::new() };
        Ruling { access: Access::Required, demands }
    }

    fn demands(&self) -> Vec<Demand> {
        self.rules.iter().filter(|rule| rule.opens.is_none()).map(|rule| rule.demand).collect()
    }
}

impl PathPattern {
    fn has_method(&self, method: &Method) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method || (wanted == Method::GET && method == Method::HEAD))
    }

    /// As it is written, byte for byte. Captures take no empty segment, and nothing that can be read as more than one.
    fn matches_exactly(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let plain = |segment: &str| !segment.is_empty() && !is_ambiguous(segment);
        let mut segments = path.split('/');
        for wanted in &self.segments {
            let Some(segment) = segments.next() else { return false };
            match wanted {
                Segment::Literal(literal) => {
                    if literal != segment {
                        return false;
                    }
                }
                Segment::One => {
                    if !plain(segment) {
                        return false;
                    }
                }
                Segment::Rest => return plain(segment) && segments.all(plain),
            }
        }
        segments.next().is_none()
    }

    /// For a path whose segments were made comparable. `{*rest}` takes nothing as well.
    fn matches_any_spelling(&self, segments: &[String]) -> bool {
        let mut segments = segments.iter();
        for wanted in self.segments.iter().filter(|wanted| !matches!(wanted, Segment::Literal(text) if text.is_empty()))
        {
            match (wanted, segments.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One, Some(_)) => {}
                (Segment::Literal(literal), Some(segment)) if literal.to_lowercase() == *segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

/// What one request needs.
#[derive(Debug)]
pub(super) struct Ruling {
    pub(super) access: Access,
    pub(super) demands: Vec<Demand>,
}

impl Ruling {
    pub(super) const fn of(access: Access) -> Self {
        Self { access, demands: Vec::new() }
    }

    /// What a client without a token is told to ask for.
    pub(super) fn first_demand(&self) -> Demand {
        self.demands.first().copied().unwrap_or(Demand::authenticated())
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::One => f.write_str("/{..}")?,
                Segment::Rest => f.write_str("/{*..}")?,
            }
        }
        Ok(())
    }
}
