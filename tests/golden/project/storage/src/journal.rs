//! An append-only journal: what was acknowledged survives a crash.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub struct Journal {
    file: File,
}

impl Journal {
    pub fn open(path: &Path) -> io::Result<Journal> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        Ok(Journal { file })
    }

    /// Length, checksum, bytes; on disk before this returns.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(record.len() + 8);
        frame.extend_from_slice(&(record.len() as u32).to_le_bytes());
        frame.extend_from_slice(&fletcher(record).to_le_bytes());
        frame.extend_from_slice(record);
        self.file.write_all(&frame)?;
        self.file.sync_data()
    }

    /// Every whole record from the start; a torn one at the end is cut off.
    pub fn recover(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut data = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut data)?;
        let mut records = Vec::new();
        let mut at = 0;
        while at + 8 <= data.len() {
            let size = u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize;
            let sum = u32::from_le_bytes(data[at + 4..at + 8].try_into().unwrap());
            let Some(body) = data.get(at + 8..at + 8 + size) else { break };
            if fletcher(body) != sum {
                break;
            }
            records.push(body.to_vec());
            at += 8 + size;
        }
        self.file.set_len(at as u64)?;
        Ok(records)
    }
}

fn fletcher(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (0u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65535;
        b = (b + a) % 65535;
    }
    (b << 16) | a
}
