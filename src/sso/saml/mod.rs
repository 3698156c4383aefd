//! SAML 2.0 as a service provider. One parser and one tree; a message is read from the very octets whose digest
//! was signed, and from nothing else (docs/decisions/0008).

pub mod certificate;
mod decrypt;
pub mod gate;
pub mod identity;
pub mod logout;
pub mod metadata;
pub mod own_key;
pub mod redirect;
pub mod request;
pub mod response;
pub mod verify;
pub mod xml;

use xml::Flaw;

/// Why a message is not taken. The text is for administrators; nothing of the message stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More than any message has.
    #[error("the message is larger than 128 KiB, or deeper, or wider than any SAML message")]
    TooLarge,
    /// No base64, no UTF-8, no XML, or XML with a document type, an instruction, a CDATA section.
    #[error("the message cannot be read: {0}")]
    Malformed(&'static str),
    /// A comment, around which readers disagree.
    #[error("the message has a comment in it")]
    Comment,
    /// Elements where none may be, or not where they must be: the shapes of signature wrapping.
    #[error("the message is not built as it must be: {0}")]
    Structure(&'static str),
    /// Neither response nor assertion is signed.
    #[error("neither the response nor the assertion is signed")]
    Unsigned,
    /// A signature by an algorithm that is not accepted, or over more or less than what is read.
    #[error("the signature is made in a way that is not accepted: {0}")]
    Algorithm(&'static str),
    /// No pinned certificate made the signature, or what it covers was changed.
    #[error(
        "the signature is not that of a certificate of this connection, or what it covers was changed"
    )]
    Signature,
    /// An encrypted assertion that cannot be opened or, opened, proves nothing; or a plain one where none may be.
    #[error("the assertion's encryption is not accepted")]
    Encryption,
    /// Issued by somebody else.
    #[error("the issuer is not the entity id of this connection's identity provider")]
    Issuer,
    /// Made for somebody else.
    #[error("the audience is not the entity id of this connection")]
    Audience,
    /// Confirmed for another address.
    #[error("the recipient is not the ACS address of this connection")]
    Recipient,
    /// Sent to another address.
    #[error("the destination is not the address of this connection that it was sent to")]
    Destination,
    /// An answer to different requests at once, or to none that is known.
    #[error("the message answers no request of ours, or several")]
    InResponseTo,
    /// Over, not begun, without an end, or good for too long.
    #[error("the assertion's time is over, has not begun, or is not told: {0}")]
    Time(&'static str),
    /// The identity provider says no.
    #[error("the identity provider refused: {0}")]
    Status(&'static str),
    /// Nobody can be told by it.
    #[error("the assertion does not say for whom it is: {0}")]
    Subject(&'static str),
}

impl Fault {
    /// Its code, in the log of attempts and on the page.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "saml.too_large",
            Self::Malformed(_) => "saml.malformed",
            Self::Comment => "saml.comment",
            Self::Structure(_) => "saml.structure",
            Self::Unsigned => "saml.unsigned",
            Self::Algorithm(_) => "saml.algorithm",
            Self::Signature => "saml.signature",
            Self::Encryption => "saml.encryption",
            Self::Issuer => "saml.issuer",
            Self::Audience => "saml.audience",
            Self::Recipient => "saml.recipient",
            Self::Destination => "saml.destination",
            Self::InResponseTo => "saml.in_response_to",
            Self::Time(_) => "saml.time",
            Self::Status(_) => "saml.status",
            Self::Subject(_) => "saml.subject",
        }
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::TooLarge => Self::TooLarge,
            Flaw::Comment => Self::Comment,
            Flaw::Doctype => Self::Malformed("it has a DOCTYPE"),
            Flaw::Markup => {
                Self::Malformed("it has a CDATA section or an instruction, or is not in UTF-8")
            }
            Flaw::Malformed => Self::Malformed("it is not well-formed XML"),
        }
    }
}
