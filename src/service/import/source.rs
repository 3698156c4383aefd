//! What is imported, line by line, in batches that no file can make too large.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Longest line in bytes: a group of a million members has room.
pub const MAX_LINE: u64 = 64 * 1024 * 1024;
/// Most lines of one batch, which is stored in one unit of work.
const BATCH_LINES: usize = 500;
/// Bytes after which a batch is full.
const BATCH_BYTES: u64 = 512 * 1024;
/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;

/// The file that is imported.
pub enum Source {
    /// SCIM resources, one JSON object a line. It is read more than once.
    Ndjson(File),
    /// Users as a table whose first row names attributes. It is read once.
    Csv(Box<dyn Read + Send>),
}

/// One line as it stands in the file.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has in the file.
    pub length: usize,
    /// What it holds.
    pub text: Text,
}

/// What a line holds.
#[derive(Debug)]
pub enum Text {
    /// The line, without its end.
    Json(Vec<u8>),
    /// A row of a table.
    Csv(csv::ByteRecord),
    /// It could not be read; the sentence says why.
    Wrong(String),
}

/// Some lines in their order.
#[derive(Debug)]
pub struct Batch {
    /// The lines.
    pub lines: Vec<Line>,
    /// How far the file has been read, in bytes.
    pub end: u64,
}

/// The lines of an NDJSON file from its beginning.
pub struct Ndjson {
    reader: BufReader<File>,
    number: u64,
    offset: u64,
}

impl Ndjson {
    /// Goes to the beginning of the file.
    ///
    /// # Errors
    /// The file's.
    pub fn start(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { reader: BufReader::with_capacity(BUFFER, file), number: 0, offset: 0 })
    }

    /// The next line that is not blank.
    fn line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let offset = self.offset;
            let read = self.reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.offset += read as u64;
            if bytes.last() != Some(&b'\n') && read as u64 > MAX_LINE {
                self.offset += skip_line(&mut self.reader)?;
                let text = Text::Wrong(format!("the line is longer than {MAX_LINE} bytes"));
                return Ok(Some(Line { number: self.number, offset, length: read, text }));
            }
            trim(&mut bytes, self.number);
            if !bytes.is_empty() {
                let text = Text::Json(bytes);
                return Ok(Some(Line { number: self.number, offset, length: read, text }));
            }
        }
    }
}

/// Takes white space off both ends, and in front of the first line a byte order mark.
fn trim(bytes: &mut Vec<u8>, number: u64) {
    bytes.truncate(bytes.trim_ascii_end().len());
    if number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let blank = bytes.len() - bytes.trim_ascii_start().len();
    bytes.drain(..blank);
}

/// Reads to the end of the line and counts the bytes.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|b| *b == b'\n').map(|i| i + 1);
        let (used, done) = (end.unwrap_or(buffer.len()), end.is_some() || buffer.is_empty());
        reader.consume(used);
        skipped += used as u64;
        if done {
            return Ok(skipped);
        }
    }
}

impl Iterator for Ndjson {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        let begin = self.offset;
        while lines.len() < BATCH_LINES && self.offset - begin < BATCH_BYTES {
            match self.line() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        (!lines.is_empty()).then_some(Ok(Batch { lines, end: self.offset }))
    }
}

/// Where a line lies that is read again.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// Where it begins.
    pub offset: u64,
    /// Its length in bytes.
    pub length: usize,
}

/// Some lines of an NDJSON file again, in the order given.
pub struct Again<P> {
    /// The file.
    pub file: File,
    /// Which lines.
    pub places: P,
}

impl<P: Iterator<Item = Place>> Again<P> {
    fn line(&mut self, place: Place) -> io::Result<Line> {
        let mut bytes = vec![0; place.length];
        self.file.seek(SeekFrom::Start(place.offset))?;
        self.file.read_exact(&mut bytes)?;
        trim(&mut bytes, place.number);
        let Place { number, offset, length } = place;
        Ok(Line { number, offset, length, text: Text::Json(bytes) })
    }
}

impl<P: Iterator<Item = Place>> Iterator for Again<P> {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Some(place) = self.places.next() else { break };
            match self.line(place) {
                Ok(line) => lines.push(line),
                Err(error) => return Some(Err(error)),
            }
            bytes += place.length as u64;
        }
        (!lines.is_empty()).then_some(Ok(Batch { lines, end: bytes }))
    }
}

/// The rows of a table, without the first.
pub struct Rows(csv::Reader<Box<dyn Read + Send>>);

impl Rows {
    /// Reads the first row, which names the columns.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn start(file: Box<dyn Read + Send>) -> Result<(Self, Vec<String>), String> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).buffer_capacity(BUFFER).from_reader(file);
        let head = reader.headers().map_err(|e| e.to_string())?;
        let names = head.iter().map(|name| name.trim().to_owned()).collect();
        Ok((Self(reader), names))
    }

    fn row(&mut self) -> Option<io::Result<Line>> {
        let mut row = csv::ByteRecord::new();
        match self.0.read_byte_record(&mut row) {
            Ok(false) => None,
            Ok(true) => {
                let place = row.position().map(|p| (p.line(), p.byte()));
                let (number, offset) = place.unwrap_or_default();
                Some(Ok(Line { number, offset, length: 0, text: Text::Csv(row) }))
            }
            Err(error) => Some(Err(io::Error::other(error))),
        }
    }
}

impl Iterator for Rows {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        let begin = self.0.position().byte();
        while lines.len() < BATCH_LINES && self.0.position().byte() - begin < BATCH_BYTES {
            match self.row() {
                Some(Ok(line)) => lines.push(line),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (!lines.is_empty()).then_some(Ok(Batch { lines, end: self.0.position().byte() }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    fn texts(batches: impl Iterator<Item = io::Result<Batch>>) -> Vec<(u64, Vec<u8>)> {
        let lines = batches.flat_map(|batch| batch.unwrap().lines);
        let text = |line: Line| match line.text {
            Text::Json(bytes) => (line.number, bytes),
            other => panic!("{other:?}"),
        };
        lines.map(text).collect()
    }

    /// Numbers are those of an editor; what is read again is what was read first.
    #[test]
    fn lines_are_found_again() {
        let file = file(b"\xef\xbb\xbf{\"a\":1}\r\n\n  \n {\"b\":2} \n{\"c\":3}");
        let again = file.try_clone().unwrap();
        let first: Vec<Batch> =
            Ndjson::start(file.try_clone().unwrap()).unwrap().map(Result::unwrap).collect();
        assert_eq!(first.last().unwrap().end, 33);
        let lines = first.iter().flat_map(|batch| &batch.lines);
        let places: Vec<Place> =
            lines.map(|l| Place { number: l.number, offset: l.offset, length: l.length }).collect();
        let seen = texts(first.into_iter().map(Ok));
        let want = [(1, "{\"a\":1}"), (4, "{\"b\":2}"), (5, "{\"c\":3}")];
        let want: Vec<(u64, Vec<u8>)> =
            want.iter().map(|(n, text)| (*n, text.as_bytes().to_vec())).collect();
        assert_eq!(seen, want);
        assert_eq!(texts(Again { file: again, places: places.into_iter() }), want);
    }

    #[test]
    fn a_batch_has_an_end() {
        let line = format!("\"{}\"\n", "x".repeat(400_000));
        let batches: Vec<usize> = Ndjson::start(file(line.repeat(7).as_bytes()))
            .unwrap()
            .map(|batch| batch.unwrap().lines.len())
            .collect();
        assert_eq!(batches, [2, 2, 2, 1]);
        let batches = Ndjson::start(file("1\n".repeat(1_200).as_bytes())).unwrap();
        assert_eq!(batches.map(|b| b.unwrap().lines.len()).collect::<Vec<_>>(), [500, 500, 200]);
    }
}
