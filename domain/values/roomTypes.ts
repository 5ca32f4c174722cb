/** A room of two people, or of any number. */
export const roomTypes = ["dialog", "group"] as const;
export type RoomType = (typeof roomTypes)[number];

/** What a member may do in a room; an unknown role gives no rights. */
export const roles = ["owner", "member"] as const;
export type Role = (typeof roles)[number];

/** What a row of `chat.messages` is. */
export const messageTypes = ["message", "event", "user_joined", "user_left"] as const;
export type MessageType = (typeof messageTypes)[number];

/** Where a message is in its life; a deleted one stays as a marked row without its text. */
export type MessageStatus = "sent" | "edited" | "deleted";
