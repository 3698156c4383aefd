//! The text of a filter before any tree exists: limits, tokens, and the oddities of real clients.
//!
//! One quote-aware pass over at most [`MAX_BYTES`] bytes. It never resolves a name and never judges
//! the grammar: what it hands on is read by the parser of `scim_v2`.

use std::borrow::Cow;

use crate::scim::quirks;

/// Longest filter, in bytes after decoding.
pub const MAX_BYTES: usize = 4_096;
/// Deepest nesting; brackets and `not` both count: the grammar goes down the stack with each.
pub const MAX_DEPTH: usize = 20;
/// Deepest nesting of a PATCH path, counted the same way.
pub const MAX_PATH_DEPTH: usize = 4;

/// A piece of the text.
#[derive(Clone, Copy)]
enum Token<'t> {
    /// A run without blanks, quotes and brackets.
    Word(&'t str),
    /// A quoted text with its quotes.
    Quoted(&'t str),
    /// `(` or `[`.
    Open(char),
    /// `)` or `]`.
    Close(char),
    /// Any number of blanks.
    Space,
}

/// Whether a text is a filter, or a path of a PATCH that may hold one.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// RFC 7644 §3.4.2.2.
    Filter,
    /// RFC 7644 §3.5.2: what follows `]` ends the path.
    Path,
}

/// Brings a text into the grammar of RFC 7644 §3.4.2.2, as `scim_v2` reads it.
///
/// # Errors
/// A sentence: the text is too long, nested too deep, or a quote does not end.
pub fn rewrite(text: &str, form: Form) -> Result<String, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("is longer than {MAX_BYTES} bytes"));
    }
    let tokens = tokens(text)?;
    check_depth(&tokens, if form == Form::Path { MAX_PATH_DEPTH } else { MAX_DEPTH })?;
    let mut writer = Writer { form, out: Vec::new(), expect: Expect::Name, open: 0, tail: false };
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        writer.push(*token, after.first());
        rest = after;
    }
    Ok(writer.out.concat())
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' => {
                let length = quoted_length(rest).ok_or("has a quote that does not end")?;
                (Token::Quoted(rest.get(..length).unwrap_or_default()), length)
            }
            '(' | '[' => (Token::Open(first), 1),
            ')' | ']' => (Token::Close(first), 1),
            c if c.is_whitespace() => {
                (Token::Space, rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()))
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "\"()[]".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or_default()), length)
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// Length of the quoted text that `rest` starts with, both quotes included.
fn quoted_length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn check_depth(tokens: &[Token], limit: usize) -> Result<(), String> {
    let (mut levels, mut depth, mut negated) = (Vec::new(), 0, false);
    for token in tokens {
        match token {
            Token::Open(_) => {
                let level = if negated { 2 } else { 1 };
                levels.push(level);
                depth += level;
                if depth > limit {
                    return Err(format!("is nested deeper than {limit}"));
                }
            }
            Token::Close(_) => depth -= levels.pop().unwrap_or(0),
            Token::Space => continue,
            Token::Word(_) | Token::Quoted(_) => {}
        }
        negated = matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("not"));
    }
    Ok(())
}

/// What the grammar has next, as far as the meaning of a bare word depends on it.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Name,
    Operator,
    Operand,
    Joiner,
}

struct Writer<'t> {
    form: Form,
    out: Vec<Cow<'t, str>>,
    expect: Expect,
    /// Where in `out` the last `[` stands.
    open: usize,
    /// The expression behind `]` is being moved into the brackets.
    tail: bool,
}

impl<'t> Writer<'t> {
    fn push(&mut self, token: Token<'t>, next: Option<&Token<'t>>) {
        match token {
            Token::Space => self.out.push(" ".into()),
            Token::Word(word) => self.word(word),
            Token::Quoted(text) => {
                self.out.push(text.into());
                self.end_term();
            }
            Token::Open('[') => {
                self.open = self.out.len();
                self.out.push("[".into());
                self.expect = Expect::Name;
            }
            Token::Open(_) => {
                self.out.push("(".into());
                self.expect = Expect::Name;
            }
            Token::Close(']') => match next {
                Some(Token::Word(word)) if self.form == Form::Filter && word.starts_with('.') => {
                    // `emails[type eq "work"].value eq "x"` (row 48) means
                    // `emails[(type eq "work") and value eq "x"]`.
                    if let Some(open) = self.out.get_mut(self.open) {
                        *open = "[(".into();
                    }
                    self.out.push(") and ".into());
                    self.tail = true;
                    self.expect = Expect::Name;
                }
                _ => {
                    self.out.push("]".into());
                    self.expect = Expect::Joiner;
                }
            },
            Token::Close(_) => {
                self.out.push(")".into());
                self.expect = Expect::Joiner;
            }
        }
    }

    fn word(&mut self, word: &'t str) {
        match self.expect {
            // `not(` without a blank, as the ABNF writes it.
            Expect::Name if word.eq_ignore_ascii_case("not") => self.out.push("not ".into()),
            Expect::Name => {
                let name = if self.tail { word.strip_prefix('.').unwrap_or(word) } else { word };
                self.out.push(quirks::without_dollar(name));
                self.expect = Expect::Operator;
            }
            Expect::Operator => {
                self.out.push(word.into());
                if quirks::is_operator(word) {
                    self.expect = Expect::Operand;
                } else {
                    self.end_term();
                }
            }
            Expect::Operand => {
                self.out.push(quirks::bare_operand(word));
                self.end_term();
            }
            Expect::Joiner => {
                self.out.push(quirks::without_dollar(word));
                self.expect = Expect::Name;
            }
        }
    }

    fn end_term(&mut self) {
        if self.tail {
            self.out.push("]".into());
            self.tail = false;
        }
        self.expect = Expect::Joiner;
    }
}
